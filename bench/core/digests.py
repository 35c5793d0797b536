"""SHA-256 digests of files, each made once, and JSON files that know when they were changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock
from tqdm import tqdm

from bench.core.errors import UserError
from bench.core.files import read_json, write_json
from bench.core.sums import DamagedError, sha256

Looks = list[int]
"""Size, time of the last change in nanoseconds, and inode of a file."""


@dataclass(eq=False)
class FileDigests:
    """Digests of files, hashed once and remembered as long as a file looks unchanged.

    The memory is a file in `folder`, shared by all processes; without a folder it ends with this
    object. With `rehash` the object hashes each file once, whatever is remembered.
    """

    folder: Path | None = None
    rehash: bool = False

    def of(self, path: Path) -> str:
        """Return the digest of one file, 64 hexadecimal digits."""
        return self.of_all([path])[0]

    def of_all(self, paths: Iterable[Path]) -> list[str]:
        """Return the digests of files; one that cannot be read is a `UserError`."""
        names = [str(path.absolute()) for path in paths]
        looks = {name: _looks(Path(name)) for name in names}
        new = [name for name in looks if self._known.get(name, [None])[0] != looks[name]]
        # The bar is for sets that take long: it appears after two seconds.
        for name in tqdm(new, desc="hash files", unit="file", delay=2):
            # Looked at before: a file that changes meanwhile looks different the next time.
            self._known[name] = [looks[name], _digest(Path(name))]
        self._remember(new)
        return [self._known[name][1] for name in names]

    @cached_property
    def _known(self) -> dict[str, list[Any]]:
        """Looks and digest of each known file, by absolute path."""
        return {} if self.rehash else self._read()

    @property
    def _memory(self) -> Path | None:
        return self.folder and self.folder / "digests.json"

    def _read(self) -> dict[str, list[Any]]:
        """Read the memory; one that is missing or damaged is empty."""
        try:
            found = read_summed(self._memory) if self._memory else {}
        except UserError:
            return {}
        return found if isinstance(found, dict) else {}

    def _remember(self, names: list[str]) -> None:
        """Add digests to the memory, where it can be written."""
        if not names or self._memory is None:
            return
        added = {name: self._known[name] for name in names}
        with suppress(OSError, UserError):  # without it, the next start takes longer
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._memory.with_suffix(".lock")):
                write_summed(self._memory, self._read() | added)


def write_summed(path: Path, content: Any) -> None:
    """Write a value as JSON together with its sum."""
    write_json(path, {"sha256": _sum(content), "content": content})


def read_summed(path: Path) -> Any:
    """Read what `write_summed` wrote; anything else is a `DamagedError` that names the file."""
    values = read_json(path)
    if not isinstance(values, dict) or values.get("sha256") != _sum(values.get("content")):
        raise DamagedError(f"{path} is damaged: its content does not give the sum that it states")
    return values["content"]


def _sum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _looks(path: Path) -> Looks:
    try:
        facts = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return [facts.st_size, facts.st_mtime_ns, facts.st_ino]


def _digest(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"cannot read {path}: {error.strerror or error}")
