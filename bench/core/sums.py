"""SHA-256 sums of the files in a folder, so that damage is seen where a file is read.

They lie in the folder as `SHA256SUMS`, which `sha256sum --check SHA256SUMS` reads too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path

from bench.core.errors import UserError
from bench.core.files import write_text

FILE = "SHA256SUMS"
"""Name of the file that holds the sums of its folder."""


class DamagedError(UserError):
    """A file that is missing, or not the one that was written."""


def sha256(path: Path) -> str:
    """Return the SHA-256 digest of a file, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write(folder: Path, files: Iterable[Path]) -> None:
    """Write the sums of files below a folder; sums that are there of other files stay."""
    known = read(folder) if (folder / FILE).exists() else {}
    known |= {file.relative_to(folder).as_posix(): sha256(file) for file in files}
    lines = [f"{digest}  {name}\n" for name, digest in sorted(known.items())]
    write_text(folder / FILE, "".join(lines))


def read(folder: Path) -> dict[str, str]:
    """Return the sums of a folder by relative name; a file that holds others is damaged."""
    path = folder / FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        found = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except FileNotFoundError as error:
        raise DamagedError(f"{path} is missing") from error
    except (OSError, ValueError) as error:
        raise DamagedError(f"{path} is damaged: it is no list of SHA-256 sums") from error
    return found


def damaged(folder: Path, but: Collection[str] = ()) -> dict[str, str]:
    """Return what is wrong with the files that have a sum, by relative name; `but` are left out.

    A file behind a symbolic link is wrong whatever it holds: it lies somewhere else.
    """
    found = {}
    for name, digest in read(folder).items():
        if name not in but and (problem := _problem(folder, name, digest)):
            found[name] = problem
    return found


def check(file: Path) -> None:
    """Raise a `DamagedError` if a file is not what the sums beside it say; without sums, pass."""
    if (file.parent / FILE).exists():
        digest = read(file.parent).get(file.name)
        if digest is not None and (problem := _problem(file.parent, file.name, digest)):
            raise DamagedError(f"{file} {problem}")


def _problem(folder: Path, name: str, digest: str) -> str:
    """Return what is wrong with a file, in words that follow its name; empty if it is as it was."""
    path = folder / name
    links = [p for p in (path, *path.parents) if p.is_relative_to(folder) and p != folder]
    if ".." in path.parts or any(p.is_symlink() for p in links):
        return "is a symbolic link"
    if not path.is_file():
        return "is missing"
    return "" if sha256(path) == digest else "was changed after it was written"
