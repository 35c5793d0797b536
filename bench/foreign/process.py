"""A program of somebody else's, from its start to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from bench.core.errors import UserError
from bench.core.interrupts import Stopped, stop_requests

PAUSE = 0.2
"""Seconds between two looks at the process."""
PATIENCE = 10
"""Seconds that a program gets to end in good order."""
ERRORS = "stderr.log"
"""Name of the file that has what a program says of its errors."""
LAST = 300
"""Longest last line of a program that is quoted, characters."""


def carry_out(command: Sequence[str], place: Path, look: Callable[[], object]) -> None:
    """Start a command, call `look` again and again, and return when it has ended well.

    What it says goes into two files of the folder `place`. One that cannot be started, or that ends
    with an error, is a `UserError` with the last line of what it says. A signal that asks to stop
    ends it, and is a `Stopped`.
    """
    with (place / "stdout.log").open("wb") as out, (place / ERRORS).open("wb") as errors:
        try:
            # A session of its own, so that all that it starts can be ended with it.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, start_new_session=True
            )
        except OSError as error:
            raise UserError(f"cannot start {command[0]}: {error.strerror}") from error
        try:
            _wait(process, look)
        finally:
            _signal(process, signal.SIGKILL)
            process.wait()
    look()
    if process.returncode:
        raise UserError(f"{command[0]} {_failure(process.returncode, place / ERRORS)}")


def _wait(process: subprocess.Popen[bytes], look: Callable[[], object]) -> None:
    """Wait for the end of a process, or end it at a signal that asks to stop."""
    with stop_requests() as request:
        while process.poll() is None and not request.number:
            look()
            time.sleep(PAUSE)
    if request.number:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        raise Stopped("stopped; the same command goes on with what is left", request.number)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a process and all that it started, as far as it is there."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _failure(code: int, errors: Path) -> str:
    """Return how a program failed, in one line that follows its name."""
    lines = errors.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    return f"{how}: {said[-1][:LAST]}" if said else how
