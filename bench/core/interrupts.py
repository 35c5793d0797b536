"""Signals that end the program: at once, or in good order where work would be lost."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from bench.core.rank import is_first

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""
UNREAD = 141
"""Exit code where nobody reads the output any more, as shells have it: 128 + SIGPIPE."""
GO_ON_LATER = 75
"""Exit code after SIGTERM or SIGUSR1: EX_TEMPFAIL of sysexits.h, "try again later"."""
REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Signals that ask a training to stop: Ctrl-C, and what schedulers send before they kill."""
FAREWELLS: list[Callable[[], None]] = []
"""Functions that are still called where one of these signals ends the process at once."""


def exit_code(number: int) -> int:
    """Return the exit code after a signal of `REQUESTS`."""
    return INTERRUPTED if number == signal.SIGINT else GO_ON_LATER


class Stopped(KeyboardInterrupt):
    """Work that stopped in good order at a signal; its text says what was kept.

    It is no error: whoever catches exceptions to go on with other work must let it pass.
    """

    def __init__(self, text: str, number: int) -> None:
        super().__init__(text)
        self.code = exit_code(number)


class StopRequest:
    """Whether a signal has asked to stop, and which."""

    number = 0


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turn the first signal of `REQUESTS` into a request, which the work inside looks at.

    A second Ctrl-C is a `KeyboardInterrupt` at once. Python handles signals in the main thread
    alone: in another there are no requests.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if request.number and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.number = number

    before = {number: signal.signal(number, ask) for number in REQUESTS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_requests(_: int = 0) -> None:
    """Let a helper process outlive the signals: the process that it works for decides when to stop.

    Terminals and schedulers send a signal to all processes of a program.
    """
    for number in REQUESTS:
        signal.signal(number, signal.SIG_IGN)


def with_command(text: str) -> str:
    """Return a text about the same command, with the command line of this program below it.

    The line is quoted for a shell. That of a launcher such as torchrun is not known: the text stays
    as it is.
    """
    if "RANK" in os.environ:
        return text
    script = Path(sys.argv[0]).name
    program = ["python", "-m", "bench"] if script == "__main__.py" else [script]
    return f"{text}:\n{shlex.join([*program, *sys.argv[1:]])}"


def leave_at_interrupt() -> None:
    """Make the signals of `REQUESTS` end the process at once, and tell the command that goes on.

    An exception would not do: raised inside an import it becomes another error, or is lost. Nothing
    is lost by leaving: files are written whole, and the locks of a process end with it.
    """
    first, process = is_first(), os.getpid()
    text = with_command("interrupted; the same command goes on with what is finished")
    told = os.fsencode(f"\n{text}\n")

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        if os.getpid() == process:
            for farewell in FAREWELLS:
                farewell()
            if first:  # once, from one of several processes
                os.write(2, told)
        os._exit(exit_code(number))

    for number in REQUESTS:
        signal.signal(number, leave)
