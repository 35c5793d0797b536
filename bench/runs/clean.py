"""Leftovers that take room in a folder of runs and are needed no more. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from bench.core.errors import UserError, unknown
from bench.core.files import remove
from bench.core.locks import is_held
from bench.runs import program_folder
from bench.runs.run import REDO, Run, find

Kind = Literal["checkpoints", "failed", "redo", "pairs", "programs", "cache"]
"""Kinds of what can go: checkpoints of finished runs, failed runs, unfinished runs of a `--redo`,
pictures shared by runs that are gone, what programs were given that did not end, decoded data."""


class Leftover(NamedTuple):
    """A folder that can go, and how to hold that of which nobody may work on meanwhile."""

    kind: Kind
    path: Path
    locked: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def size(self) -> int:
        """Bytes of all files in the folder."""
        return sum(f.lstat().st_size for f in self.path.rglob("*") if not f.is_dir())


def kinds(names: Sequence[str]) -> set[Kind]:
    """Return the kinds of some names; an unknown one is a `UserError`."""
    for name in names:
        if name not in get_args(Kind):
            raise unknown("kind of leftovers", name, get_args(Kind))
    return {kind for kind in get_args(Kind) if kind in names}


def leftovers(root: Path) -> list[Leftover]:
    """Return what can go in a folder of runs; one that does not exist is a `UserError`.

    Nothing of a run or a program that a process of this machine works on is among it.
    """
    if not root.is_dir():
        raise UserError(f"no folder {root}; give the --out of your runs")
    runs = find(root)
    redone = sorted(path.parent for path in root.glob(f".*{REDO}/state.json"))
    found = [item for run in runs for item in _of_run(run)]
    for path in redone:
        old = Run(root / path.name.removeprefix(".").removesuffix(REDO))
        if not old.held:
            found.append(Leftover("redo", path, old.locked))
    found += _unused_pairs(root, runs)
    found += _given_to_programs(root)
    cache = root / ".cache"
    if cache.is_dir() and not any(run.held for run in runs):
        found.append(Leftover("cache", cache))
    return found


def free(leftover: Leftover) -> None:
    """Remove what can go; a `UserError` if a process has begun to work on it meanwhile."""
    with leftover.locked():
        remove(leftover.path)


def _of_run(run: Run) -> Iterator[Leftover]:
    try:
        progress = run.progress
    except UserError:  # damaged: nobody knows what it holds
        return
    if run.held:
        return
    if progress == "failed":
        yield Leftover("failed", run.path, run.locked)
    elif progress == "finished" and run.checkpoints.is_dir():
        yield Leftover("checkpoints", run.checkpoints, run.locked)


def _unused_pairs(root: Path, runs: Sequence[Run]) -> Iterator[Leftover]:
    """Yield the folders of pictures that no run, finished or not, is measured on."""
    try:
        used = {run.pictures.shared for run in runs}
    except UserError:  # one is damaged: its pictures may be any
        return
    for path in sorted((root / "pairs").glob("*/")):
        if path not in used:
            yield Leftover("pairs", path)


def _given_to_programs(root: Path) -> Iterator[Leftover]:
    """Yield the inputs of programs that did not come to their end; what they made of them stays.

    The same command gives them what is missing.
    """
    for folder in program_folder.find(root):
        if not is_held(folder.lock):
            for path in filter(Path.is_dir, folder.given):
                yield Leftover("programs", path, folder.locked)
