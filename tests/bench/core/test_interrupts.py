import os
import signal
import subprocess
import sys
import threading

import pytest

from bench.core.interrupts import REQUESTS, Stopped, stop_requests, with_command


@pytest.mark.parametrize("number", REQUESTS)
def test_a_signal_becomes_a_request(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_requests() as request:
        assert request.number == 0
        os.kill(os.getpid(), number)
        assert request.number == number
    assert signal.getsignal(number) == before


def test_a_second_interrupt_is_obeyed_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), stop_requests():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_another_thread_works_without_requests() -> None:
    seen: list[int] = []

    def work() -> None:
        with stop_requests() as request:
            seen.append(request.number)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [0]


def test_the_exit_code_tells_ctrl_c_from_a_scheduler() -> None:
    assert Stopped("", signal.SIGINT).code == 130
    assert Stopped("", signal.SIGTERM).code == Stopped("", signal.SIGUSR1).code == 75


def interrupted(
    *words: str, by: signal.Signals = signal.SIGINT, code: int = 130, **environment: str
) -> list[str]:
    """Return the lines of `python -m bench WORDS` that gets a signal while it imports."""
    # `import bench.cli.parser` inside `main` sends the signal: a finder there is asked for it.
    program = (
        "import os, runpy, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'bench.cli.parser':\n"
        f"            os.kill(os.getpid(), {int(by)})\n"
        "sys.meta_path.insert(0, Finder())\n"
        "runpy.run_module('bench', run_name='__main__', alter_sys=True)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        env=os.environ | environment,
    )
    assert (result.returncode, result.stdout) == (code, "")
    first, *lines = result.stderr.splitlines()
    assert not first  # after the ^C of a terminal
    return lines


def test_ctrl_c_outside_a_training_tells_the_command() -> None:
    assert interrupted("ablate", "--out", "my runs", "--images", "folder:Größe\udcff") == [
        "interrupted; the same command goes on with what is finished:",
        "python -m bench ablate --out 'my runs' --images 'folder:Größe\udcff'",
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_scheduler_outside_a_training_gets_the_code_that_says_later(
    number: signal.Signals,
) -> None:
    assert interrupted("run", by=number, code=75)[1] == "python -m bench run"


def test_the_command_of_a_launcher_is_not_known() -> None:
    line = "interrupted; the same command goes on with what is finished"
    assert interrupted("run", RANK="0") == [line]


def test_a_script_has_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/lbam-bench", "list"])
    assert with_command("again") == "again:\nlbam-bench list"
