"""Leftovers that take room in a folder of runs and are needed no more. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from bench.core.errors import UserError, unknown
from bench.core.files import remove
from bench.runs.run import REDO, Run, find

Kind = Literal["checkpoints", "failed", "redo", "pairs", "cache"]
"""Kinds of what can go: checkpoints of finished runs, failed runs, unfinished runs of a `--redo`,
pictures shared by runs that are gone, and decoded data."""


class Leftover(NamedTuple):
    """A folder that can go, and the run that must not be in work when it goes."""

    kind: Kind
    path: Path
    run: Run | None = None

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

    Nothing of a run that a process of this machine works on is among it.
    """
    if not root.is_dir():
        raise UserError(f"no folder {root}; give the --out of your runs")
    runs = find(root)
    redone = sorted(path.parent for path in root.glob(f".*{REDO}/state.json"))
    found = [item for run in runs for item in _of_run(run)]
    for path in redone:
        old = Run(root / path.name.removeprefix(".").removesuffix(REDO))
        if not old.held:
            found.append(Leftover("redo", path, old))
    found += _unused_pairs(root, runs)
    cache = root / ".cache"
    if cache.is_dir() and not any(run.held for run in runs):
        found.append(Leftover("cache", cache))
    return found


def free(leftover: Leftover) -> None:
    """Remove what can go; a `UserError` if a process has begun to work on the run meanwhile."""
    if leftover.run is None:
        remove(leftover.path)
        return
    with leftover.run.locked():
        remove(leftover.path)


def _of_run(run: Run) -> Iterator[Leftover]:
    try:
        progress = run.progress
    except UserError:  # damaged: nobody knows what it holds
        return
    if run.held:
        return
    if progress == "failed":
        yield Leftover("failed", run.path, run)
    elif progress == "finished" and run.checkpoints.is_dir():
        yield Leftover("checkpoints", run.checkpoints, run)


def _unused_pairs(root: Path, runs: Sequence[Run]) -> Iterator[Leftover]:
    """Yield the folders of pictures that no run, finished or not, is measured on."""
    try:
        used = {run.pictures.shared for run in runs}
    except UserError:  # one is damaged: its pictures may be any
        return
    for path in sorted((root / "pairs").glob("*/")):
        if path not in used:
            yield Leftover("pairs", path)
