"""The folder in which a program fills test pairs. Imports no torch, so that `clean` is fast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from bench.core import locks
from bench.core.errors import UserError

PROGRAMS = "programs"
"""Name of the folder, next to the runs, that has a folder for each command and its test pairs."""


@dataclass(frozen=True)
class ProgramFolder:
    """The folder of one command on some test pairs."""

    path: Path

    @property
    def given(self) -> tuple[Path, Path]:
        """Folders of the images and masks that the program is given, gone when it has filled all.

        They are written at each of its starts.
        """
        return self.path / "images", self.path / "masks"

    @property
    def out(self) -> Path:
        """Folder of the pictures that the program makes."""
        return self.path / "out"

    @property
    def lock(self) -> Path:
        """File that a process keeps locked while it runs the program."""
        return self.path / ".lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; one in which a program works is a `UserError`."""
        lock = FileLock(self.lock)
        try:
            lock.acquire(timeout=locks.PATIENCE)
        except Timeout as error:
            raise UserError(f"a program works in {self.path}; wait for it or stop it") from error
        try:
            yield
        finally:
            lock.release()


def find(root: Path) -> list[ProgramFolder]:
    """Return the folders of all programs that filled test pairs for the runs of a folder."""
    return [ProgramFolder(path) for path in sorted((root / PROGRAMS).glob("*/"))]
