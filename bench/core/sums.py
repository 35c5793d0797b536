"""SHA-256 sums of the files in a folder, so that damage is seen where a file is read.

They lie in the folder as `SHA256SUMS`, which `sha256sum --check SHA256SUMS` reads too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath

from bench.core.errors import UserError
from bench.core.files import write_text

FILE = "SHA256SUMS"
"""Name of the file that holds the sums of its folder."""
Wanted = Callable[[str], bool]
"""Function that tells by a file's relative name whether to look at it."""


class DamagedError(UserError):
    """A file that is missing, or not the one that was written."""


def sha256(path: Path) -> str:
    """Return the SHA-256 digest of a file, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write(folder: Path, files: Iterable[Path]) -> None:
    """Write the sums of files below a folder, and of no others."""
    _write(folder, _measured(folder, files))


def _none(_: str) -> bool:
    return False


def add(folder: Path, files: Iterable[Path], gone: Wanted = _none) -> None:
    """Write the sums of files below a folder, and keep those of its other files.

    Names that are `gone` are kept no longer.
    """
    kept = {name: digest for name, digest in read(folder).items() if not gone(name)}
    _write(folder, kept | _measured(folder, files))


def read(folder: Path) -> dict[str, str]:
    """Return the sums of a folder by relative name; a missing or malformed file is an error."""
    path = folder / FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except FileNotFoundError as error:
        raise DamagedError(f"{path} is missing") from error
    except (OSError, ValueError) as error:
        raise DamagedError(f"{path} is damaged: it is no list of SHA-256 sums") from error


def damaged(folder: Path, files: Iterable[Path] = (), wanted: Wanted = bool) -> dict[str, str]:
    """Return what is wrong with the files of a folder, by relative name, in words for a message.

    It looks at all files that have a sum and at the `files`, which must have one, as far as their
    names are `wanted`.
    """
    known = read(folder)
    names = known.keys() | {file.relative_to(folder).as_posix() for file in files}
    problems = {name: _problem(folder, name, known.get(name)) for name in names if wanted(name)}
    return {name: problem for name, problem in sorted(problems.items()) if problem}


def check(file: Path) -> None:
    """Raise a `DamagedError` if a file is not what the sums in its folder say.

    A file without a sum passes: it comes from elsewhere, or its run goes on.
    """
    known = read(file.parent) if (file.parent / FILE).exists() else {}
    if file.name in known and (problem := _problem(file.parent, file.name, known[file.name])):
        raise DamagedError(f"{file} {problem}")


def _measured(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): sha256(file) for file in files}


def text(found: Mapping[str, str]) -> str:
    """Return the text of a file of sums, from digests by relative name."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(found.items()))


def _write(folder: Path, found: Mapping[str, str]) -> None:
    write_text(folder / FILE, text(found))


def _problem(folder: Path, name: str, digest: str | None) -> str:
    """Return what is wrong with a file, in words that follow its name; empty if it is as it was."""
    if digest is None:
        return f"has no sum in {FILE}"
    path = folder / name
    # A file behind a link lies somewhere else, whatever it holds.
    parts = [PurePosixPath(name), *PurePosixPath(name).parents]
    if any((folder / part).is_symlink() for part in parts[:-1]):
        return "is a symbolic link, or lies behind one"
    if not path.is_file():
        return "is missing"
    return "" if sha256(path) == digest else "was changed after it was written"
