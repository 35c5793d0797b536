"""A pack: one zip file with what a report needs of finished runs, to carry to another machine.

It holds `RUN/...` for each run and `pairs/HASH/...` for the pictures that they share, as a folder
of runs does. Each of these folders has `SHA256SUMS` of the files that are packed and of no others,
so that the sums of a pack without weights hold. Imports no torch.
"""

from __future__ import annotations

import shutil
import stat
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo, is_zipfile

from tqdm import tqdm

from bench.core import sums
from bench.core.errors import UserError
from bench.core.files import replacing
from bench.core.run_folder import NAME, SHARED, RunFolder, saved_pictures
from bench.runs.run import Run, find, of_pictures

PAIRS = "pairs"
"""Folder of the pictures that runs share; no run in a pack can have its name."""
COMPRESSED = (".png", ".webp", ".safetensors")
"""Suffixes of files that compression makes no smaller."""
DATE = (1980, 1, 1, 0, 0, 0)
"""Date of every file in a pack, so that equal runs give equal packs: the first that zip has."""
MOST_TIMES, ALLOWED = 100, 64 * 2**20
"""How many times as large as its zip file a pack may become, and bytes that any may have."""
ENCRYPTED = 1
"""Bit of a zip entry's flags."""


def pack(runs: Sequence[Run], file: Path, weights: bool = False) -> None:
    """Write a pack of `packable` runs of one folder, whole or not at all.

    The same runs give the same bytes. Runs of several folders, and a file in the place of the pack
    that is no zip file, are a `UserError`.
    """
    folders = sorted({str(run.path.parent) for run in runs})
    if len(folders) > 1:
        raise UserError(
            f"runs of {' and '.join(folders)} do not fit into one pack; pack each folder, and "
            "report the packs together"
        )
    if file.exists() and not is_zipfile(file):
        raise UserError(f"{file} exists and is no pack; choose another --out")
    contents = sorted(dict(_contents(runs, weights)).items())
    with replacing(file) as temporary, ZipFile(temporary, "w") as archive:
        for name, content in tqdm(contents, desc="pack", unit="file", delay=2):
            _add(archive, name, content)


def packable(runs: Iterable[Run], weights: bool = False) -> tuple[list[Run], list[str]]:
    """Return the runs that are finished and undamaged, and what is wrong with the others.

    Weights are looked at only if they are to be packed.
    """
    good, problems = [], []
    for run in runs:
        try:
            _check_run(run, weights)
            good.append(run)
        except UserError as error:
            problems.append(str(error))
    return good, problems


def unpack(file: Path, folder: Path) -> list[Run]:
    """Unpack a pack into a new folder and return its runs, which are finished and undamaged.

    Nothing is written for a file that is no pack, or for one with anything else in it: names that
    no run has or that lead out of the folder, links, or more bytes than a pack can have. Either is
    a `UserError`, and so is damage. Whoever calls removes the folder.
    """
    try:
        with ZipFile(file) as archive:
            for objection in _objections(archive.infolist(), file.stat().st_size):
                raise BadZipFile(objection)
            for entry in tqdm(archive.infolist(), desc=f"unpack {file}", unit="file", delay=2):
                _extract(archive, entry, folder)
        runs = find(folder)
        for objection in _damage(folder, runs):
            raise BadZipFile(objection)
    # zipfile reports a damaged file in any of these ways.
    except (BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError) as e:
        raise UserError(
            f"{file} is damaged, or no file of `python -m bench pack`: {e}; pack the runs again"
        ) from e
    except OSError as error:
        raise UserError(f"cannot unpack {file}: {error.strerror or error}") from error
    return runs


def _check_run(run: Run, weights: bool) -> None:
    """Raise a `UserError` if a run cannot be packed."""
    if not NAME.fullmatch(run.name) or run.name == PAIRS:
        raise UserError(
            f"{run.path} cannot be packed under its name: use letters, digits, '.', '_' and '-'"
        )
    if run.progress != "finished":
        raise UserError(f"no finished run in {run.path}: its state is '{run.progress}'")
    run.check(lambda name: not of_pictures(name) and (weights or name != run.weights.name))
    if run.lacks_pictures():
        raise UserError(
            f"pictures of {run.path} are missing or damaged; `python -m bench report --out "
            f"{run.path.parent}`, or the command that made the run, makes them again"
        )


def _contents(runs: Iterable[Run], weights: bool) -> Iterator[tuple[str, Path | str]]:
    """Yield the names in a pack, each with the file that it is a copy of, or with its text."""
    shared: dict[Path, set[Path]] = {}
    for run in runs:
        kept = (file for file in run.results if weights or file != run.weights)
        yield from _with_sums(run.path, kept, run.name)
        yield f"{run.name}/{run.state.name}", run.state
        inputs = (file for pair in run.pictured for file in run.pictures.inputs(pair))
        shared.setdefault(run.pictures.shared, set()).update(inputs)
    for folder, files in shared.items():
        if files:
            yield from _with_sums(folder, files, f"{PAIRS}/{folder.name}")


def _with_sums(folder: Path, files: Iterable[Path], place: str) -> Iterator[tuple[str, Path | str]]:
    """Yield files of a folder, and the sums of them alone, by their names in the pack."""
    known, kept = sums.read(folder), {}
    for file in files:
        name = file.relative_to(folder).as_posix()
        kept[name] = known[name]
        yield f"{place}/{name}", file
    yield f"{place}/{sums.FILE}", sums.text(kept)


def _add(archive: ZipFile, name: str, content: Path | str) -> None:
    """Add a file, or a text, without its date and owner."""
    entry = ZipInfo(name, DATE)
    entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16  # as Unix writes it
    entry.compress_type = ZIP_STORED if name.endswith(COMPRESSED) else ZIP_DEFLATED
    if isinstance(content, str):
        archive.writestr(entry, content)
        return
    entry.file_size = content.stat().st_size  # zipfile needs it to write files above 2 GiB
    with content.open("rb") as source, archive.open(entry, "w") as target:
        shutil.copyfileobj(source, target)


def _objections(entries: Sequence[ZipInfo], size: int) -> Iterator[str]:
    """Yield why a zip file of `size` bytes with these entries is no pack, before it is unpacked.

    Names are quoted, since a terminal may obey what is in them.
    """
    counts = Counter(entry.filename for entry in entries)
    for entry in entries:
        if not _may_hold(entry.filename):
            yield f"{entry.filename!r} in it is no file of a run"
        if counts[entry.filename] > 1:
            yield f"{entry.filename!r} is in it {counts[entry.filename]} times"
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            yield f"{entry.filename!r} in it is a link, or no plain file"
        if entry.flag_bits & ENCRYPTED or entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            yield f"{entry.filename!r} in it is encrypted, or compressed in another way"
    # zipfile gives no more bytes of an entry than it states.
    stated = sum(entry.file_size for entry in entries)
    if stated > MOST_TIMES * size + ALLOWED:
        yield f"its {size} bytes state that they become {stated}"
    if not entries:
        yield "it is empty"


def _may_hold(name: str) -> bool:
    """Return whether a pack may hold a file of this name."""
    folder, *rest = parts = name.split("/")
    if not all(map(NAME.fullmatch, parts)):
        return False
    if folder == PAIRS:
        of_shared = [what in SHARED for _, what in saved_pictures(rest[1:])]
        return len(rest) == 2 and (rest[1] == sums.FILE or of_shared == [True])
    run = RunFolder(Path(folder))
    inside = "/".join(rest)
    return inside in (run.state.name, sums.FILE) or run.may_hold(inside)


def _extract(archive: ZipFile, entry: ZipInfo, folder: Path) -> None:
    """Write one entry below a folder; `_objections` has looked at its name."""
    target = folder / entry.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, target.open("xb") as sink:
        shutil.copyfileobj(source, sink)
    if target.stat().st_size != entry.file_size:
        raise BadZipFile(f"{entry.filename!r} in it is shorter than it states")


def _damage(folder: Path, runs: Iterable[Run]) -> Iterator[str]:
    """Yield what is wrong with unpacked runs, by their names in the pack."""
    described = {run.path for run in runs}
    for place in sorted(folder.iterdir()):
        if place.name != PAIRS and place not in described:
            yield f"{place.name} in it has no state"
    for run in runs:
        try:
            if run.progress != "finished":
                yield f"{run.name} in it is not finished"
            for name in sums.read(run.path):
                if not run.may_hold(name):  # or files outside the folder would be read
                    yield f"the sums of {run.name} in it name {name!r}"
            for name, problem in sums.damaged(run.path, run.results).items():
                yield f"{run.name}/{name} in it {problem}"
            if run.lacks_pictures():
                yield f"pictures of {run.name} in it are missing or damaged"
        except UserError as error:  # it names a file, whose folder tells nobody anything
            yield str(error).replace(f"{folder}/", "")
