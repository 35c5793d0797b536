"""The sources of a report: folders of runs, runs themselves and packs, of several machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench.core.errors import UserError
from bench.core.origin import origin
from bench.evaluation import records
from bench.runs.pack import unpack
from bench.runs.run import Run, find, sound


class Source(NamedTuple):
    """A place that the user named, and the runs there."""

    place: Path
    runs: list[Run]
    packed: bool

    def called(self, run: Run) -> Path:
        """Return the path of a run as the user knows it; that of an unpacked one is temporary."""
        return self.place / run.name if self.packed else run.path


@contextmanager
def opened(places: Sequence[Path]) -> Iterator[list[Source]]:
    """Yield a source for each place; what is unpacked for them is removed at the end."""
    with TemporaryDirectory(prefix="lbam-bench-") as folder:
        yield [_open(place, Path(folder) / str(number)) for number, place in enumerate(places)]


def runs_at(place: Path) -> list[Run]:
    """Return the runs of a folder, or the run that the folder is."""
    return find(place) or [Run(place)]


def merged(sources: Sequence[Source]) -> tuple[list[Run], list[str]]:
    """Return the sound runs of all sources, each once, and what is wrong with the others.

    A run that two sources have with the same numbers is taken from the first. Two different runs of
    one method with the same settings and seed in two sources, and a source without any finished
    run, are a `UserError`.
    """
    taken: dict[str, tuple[Source, Run]] = {}
    merged, problems = [], []
    for source in sources:
        good, damaged = sound(source.runs)
        if not good and not damaged:
            raise UserError(
                f"no finished run in {source.place}; make one with `python -m bench run`"
            )
        problems += damaged
        for run in good:
            first, other = taken.setdefault(_purpose(run), (source, run))
            if first is source:
                merged.append(run)
            elif not _equal(run, other):
                raise UserError(
                    f"{first.called(other)} and {source.called(run)} are two different runs of "
                    f"{run.method} with the same settings and seed; report only one of them"
                )
    return merged, problems


def _open(place: Path, folder: Path) -> Source:
    if place.is_file():
        return Source(place, unpack(place, folder), packed=True)
    return Source(place, runs_at(place), packed=False)


def _purpose(run: Run) -> str:
    """Return what a run is a repetition of: its method, settings and seed, as one text.

    Weights and models from elsewhere are told apart by what they are.
    """
    seed = run.read_identity().get("training.seed")
    return json.dumps([run.method, seed, origin(run), run.settings], sort_keys=True)


def _equal(one: Run, other: Run) -> bool:
    """Return whether two runs have one fingerprint, and the same records but for their times."""
    if one.read_identity() != other.read_identity():
        return False
    first, second = (records.read([run.records]).drop(columns="seconds") for run in (one, other))
    return first.equals(second)
