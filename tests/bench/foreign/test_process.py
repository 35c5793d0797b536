"""Programs of somebody else's: how they are started and ended, and how they fail."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from bench.core.errors import UserError
from bench.core.interrupts import Stopped
from bench.foreign.process import carry_out

ASLEEP = "import time; time.sleep(600)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_what_a_program_says_is_kept_and_it_is_looked_at_after_its_end(tmp_path: Path) -> None:
    looks: list[bool] = []
    code = f"import pathlib; print('done'); pathlib.Path({str(tmp_path / 'made')!r}).touch()"
    carry_out(python(code), tmp_path, lambda: looks.append((tmp_path / "made").exists()))
    assert looks[-1] and (tmp_path / "stdout.log").read_text() == "done\n"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import sys; sys.exit('first\\nlast\\n\\n')", "ended with code 1: last"),
        ("import sys; sys.exit(7)", "ended with code 7"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9"),
    ],
)
def test_a_program_that_fails_is_one_line(code: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        carry_out(python(code), tmp_path, lambda: None)
    assert str(error.value) == f"{sys.executable} {told}"


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot start no-such-program: No such file"):
        carry_out(["no-such-program"], tmp_path, lambda: None)


def test_a_signal_ends_the_program_and_all_that_it_started(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = (
        "import pathlib, subprocess, sys; "
        f"helper = subprocess.Popen([sys.executable, '-c', {ASLEEP!r}]); "
        f"pathlib.Path({str(file)!r}).write_text(str(helper.pid)); helper.wait()"
    )

    def look() -> None:
        if file.exists() and file.read_text():
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped, match="the same command goes on"):
        carry_out(python(code), tmp_path, look)
    helper = int(file.read_text())
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(helper).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
