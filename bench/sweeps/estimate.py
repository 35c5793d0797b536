"""An estimate of what is left of a sweep: time and disk, from a short probe of each method."""

from __future__ import annotations

import csv
import heapq
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from bench.config import Config, override
from bench.core.files import read_json
from bench.data.pairs import Manifest
from bench.registry import TrainedNetwork
from bench.runs.case import Case
from bench.runs.experiment import cache_folder
from bench.runs.run import Run
from bench.sweeps.launcher import Launcher
from bench.sweeps.local import command
from bench.sweeps.prepare import prepare
from bench.sweeps.shares import environments
from bench.sweeps.status import Status, duration, survey
from bench.sweeps.sweep import Sweep
from bench.training.checkpoints import KEPT
from bench.training.trainer import total_steps

STEPS, VALIDATED, SAVED = 8, 4, 6
"""Steps of a probe, and those after which it validates and writes a checkpoint; it does both at the
end too."""
PAIRS = 4
"""Test pairs per bucket that a probe measures."""
HEADER = ["run", "state", "left", "time", "disk", "note"]
"""Titles of the columns of `Row.cells`."""


class Work(NamedTuple):
    """How much work a run is, from its beginning or from where it stopped."""

    steps: int = 0
    validations: int = 0
    """Validations and checkpoints do not count those at the end, which every training has."""
    checkpoints: int = 0
    pairs: int = 0
    pictured: int = 0
    """Number of the pairs whose pictures are saved."""
    kept: int = 0
    """Number of the checkpoints that stay when the run is finished."""


NOTHING = Work()


@dataclass(frozen=True)
class Probe:
    """Seconds and bytes that the parts of a run take."""

    start: float
    """Seconds of all that is done once: imports, reading data, the end of training, the report."""
    step: float
    validation: float
    checkpoint: float
    pair: float
    images: int
    """Number of training images; 0 without training."""
    once_bytes: float
    """Bytes of all files that do not grow with the work, the weights among them."""
    validation_bytes: float
    checkpoint_bytes: float
    pair_bytes: float
    picture_bytes: float
    shared_bytes: float
    """Bytes of a pair's input and truth, which all runs on the same pairs share."""

    def seconds(self, left: Work) -> float:
        """Return the seconds that a run takes for what is left."""
        parts = (self.step, self.validation, self.checkpoint, self.pair)
        return self.start + sum(count * part for count, part in zip(left, parts, strict=False))

    def bytes(self, whole: Work) -> float:
        """Return the bytes of the files of a finished run."""
        return (
            self.once_bytes
            + (whole.validations + 1) * self.validation_bytes
            + whole.kept * self.checkpoint_bytes
            + whole.pairs * self.pair_bytes
            + whole.pictured * self.picture_bytes
        )


@dataclass(frozen=True)
class Row:
    """One run of a sweep, and what is left of it."""

    run: str
    state: str
    """State as `bench.sweeps.status` has it, or `not started`."""
    left: Work = NOTHING
    seconds: float = 0.0
    bytes: float = 0.0
    note: str = ""
    """The reason why nothing is known of the rest, or why the run stopped."""

    def cells(self) -> list[str]:
        """Return the texts of a row of a table, in the order of HEADER."""
        counts = {"steps": self.left.steps, "pairs": self.left.pairs}
        left = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        cost = [duration(self.seconds), tqdm.format_sizeof(self.bytes, "B")] if left else ["", ""]
        return [text or "-" for text in (self.run, self.state, left, *cost, self.note)]


@dataclass(frozen=True)
class Estimate:
    """The rest of a sweep: its runs, and the time and space that they still need."""

    rows: list[Row]
    seconds: float
    """Time until all is done, with `at_once` runs in work together."""
    bytes: float
    """Space that is needed on the disk, with what runs need only while they are in work."""
    at_once: int

    def __str__(self) -> str:
        left = [row for row in self.rows if row.state != "finished"]
        if not left:
            return "nothing is left: all runs are finished"
        unknown = sum(row.left == NOTHING for row in left)
        without = f", without {unknown} of which nothing is known" if unknown else ""
        space = tqdm.format_sizeof(self.bytes, "B")
        return (
            f"{len(left)} of {len(self.rows)} runs are left: about {duration(self.seconds)} with "
            f"{self.at_once} at once, and {space} on the disk{without}. This is an estimate from "
            f"{STEPS} steps and {PAIRS} pairs per bucket on this machine, whatever else it "
            "did meanwhile."
        )


def estimate(sweep: Sweep, how: Launcher, processes: int = 1, redo: bool = False) -> Estimate:
    """Return what is left of a sweep, by probes of a few steps with the real commands.

    Each method is probed under each of its configs, whatever the seed, in a temporary folder, with
    the share of this machine that the launcher gives a run. A probe that fails is told in the rows
    of its runs and stops no other. Nothing stays in the folder of the runs but decoded data, which
    the runs find there. Settings with which nothing could be launched are a `UserError`.
    """
    here = how.kind in ("here", "local")
    at_once = min(how.at_once or len(sweep.cases), len(sweep.cases))
    share = environments(at_once, processes)[0] if how.kind == "local" else None
    with tempfile.TemporaryDirectory(prefix="lbam-bench-") as name:
        folder = Path(name)
        prepared = prepare(replace(sweep, folder=folder), processes, here, redo)
        planned = [*zip(prepared.cases, _statuses(prepared.cases, redo), strict=True)]
        kinds = {_kind(case): case for case, status in planned if _is_left(status)}
        probes: dict[tuple[str, Config], Probe | str] = {}
        for kind, case in tqdm(kinds.items(), desc="probe", unit="method"):
            place = folder / f"probe{len(probes)}"
            probes[kind] = probe(prepared, case, place, processes, share)
        rows = [_row(case, status, probes.get(_kind(case)), redo) for case, status in planned]
        extra = _extra_bytes(prepared.cases, probes, at_once)
    seconds = together([row.seconds for row in rows], at_once)
    return Estimate(rows, seconds, sum(row.bytes for row in rows) + extra, at_once)


def probe(
    sweep: Sweep,
    case: Case,
    folder: Path,
    processes: int = 1,
    environment: Mapping[str, str] | None = None,
) -> Probe | str:
    """Carry out a few steps and pairs of a case in a folder; return what they took, or what failed.

    The command is that of the case in its sweep, and reads the same decoded data.
    """
    short = override(
        case.config,
        {
            "steps": STEPS, "log_every": 1, "validate_every": VALIDATED,
            "checkpoint_every": SAVED, "checkpoint_minutes": 1e6, "keep_checkpoints": True,
            "pairs": min(PAIRS, case.config.data.pairs), "manifest": "",
            "pictures": str(min(PAIRS, case.config.evaluation.pictured)),
            "cache": str(cache_folder(case.config, case.root)),
        },
    )  # fmt: skip
    tried = Case(case.method, case.method.relevant(short), folder)
    words = command(sweep.words(tried), processes)
    began = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return lines[-1].removeprefix("error: ")
    return _read(tried.run, time.perf_counter() - began, short.training.batch_size)


def _read(run: Run, seconds: float, batch: int) -> Probe:
    """Return what the parts of a finished probe took; `seconds` is its time as a whole."""
    steps = [batch / rate for rate in _rates(run)]
    # The step after a validation or a checkpoint begins before it.
    plain = [step for number, step in enumerate(steps) if number not in (0, VALIDATED, SAVED)]
    step = statistics.fmean(plain) if plain else 0.0
    begun = run.weights if run.trained else run.manifest
    measured = run.records.stat().st_mtime - begun.stat().st_mtime
    pairs = len(Manifest.read(run.manifest).pairs)
    own, shared = _bytes(run.pictures.own), _bytes(run.pictures.shared)
    pictured = max(1, len(run.pictured))
    kept, samples = _bytes(run.checkpoints), _bytes(run.samples)
    measurement = _bytes(run.records) + _bytes(run.manifest)
    return Probe(
        start=max(0.0, seconds - sum(steps) - measured),
        step=step,
        validation=max(0.0, steps[VALIDATED] - step) if steps else 0.0,
        checkpoint=max(0.0, steps[SAVED] - step) if steps else 0.0,
        pair=measured / pairs,
        images=read_json(run.splits)["train"]["images"] if run.trained else 0,
        once_bytes=_bytes(run.path) - kept - samples - measurement - own,
        validation_bytes=samples / 2,
        checkpoint_bytes=kept / KEPT,
        pair_bytes=measurement / pairs,
        picture_bytes=own / pictured,
        shared_bytes=shared / pictured,
    )


def _rates(run: Run) -> list[float]:
    """Return the images per second of each step; none without training."""
    if not run.trained:
        return []
    with run.log.open(encoding="utf-8", newline="") as file:
        return [float(row["images_per_s"]) for row in csv.DictReader(file)]


def _row(case: Case, status: Status | None, known: Probe | str | None, redo: bool) -> Row:
    """Return the row of a case; `known` is what a probe told, if there was one."""
    name, state = case.run.name, status.state if status else "not started"
    note = status.note if status else ""
    if known is None or not _is_left(status):
        return Row(name, state, note=note)
    if isinstance(known, str):
        return Row(name, state, note=f"probe failed: {known}")
    run = case.run.successor if redo else case.run
    left, whole = _work(case, known, _steps_done(run, status)), _work(case, known, 0)
    needed = max(0.0, known.bytes(whole) - _bytes(run.path))
    return Row(name, state, left, known.seconds(left), needed, note)


def _work(case: Case, known: Probe, done: int | None) -> Work:
    """Return the work of a case after so many steps; None if its training is done."""
    training, manifest = case.config.training, Manifest.read(Path(case.config.data.manifest))
    pairs = len(manifest.pairs), len(manifest.sample(case.config.evaluation.pictured))
    if not isinstance(case.method, TrainedNetwork) or done is None:
        return Work(0, 0, 0, *pairs)
    steps = total_steps(case.config, known.images)
    validations = (steps - 1) // training.validate_every - done // training.validate_every
    by_time = 60 * training.checkpoint_minutes / max(known.step, 1e-9)
    checkpoints = int((steps - 1 - done) / min(training.checkpoint_every, by_time))
    kept = min(KEPT, checkpoints + 1) if training.keep_checkpoints else 0
    return Work(steps - done, validations, checkpoints, *pairs, kept)


def _steps_done(run: Run, status: Status | None) -> int | None:
    """Return the step from which a run goes on, or where it is now; None if none is left."""
    if run.training_done:
        return None
    if status and status.state == "running" and status.step is not None:
        return status.step
    return max((int(path.name) for path in run.checkpoints.glob("[0-9]*")), default=0)


def _statuses(cases: Sequence[Case], redo: bool) -> list[Status | None]:
    """Return the status of each case's run, or of the one that replaces it; None if not there."""
    roots = {case.root for case in cases if case.root.is_dir()}
    found = {root / s.run: s for root in roots for s in survey(root) if s.redo == redo}
    return [found.get(case.run.path) for case in cases]


def _is_left(status: Status | None) -> bool:
    """Return whether anything is left of a run that can be told."""
    return status is None or status.state not in ("finished", "damaged")


def _kind(case: Case) -> tuple[str, Config]:
    """Return what one probe stands for: a method and its config, whatever the seed."""
    return case.method.name, override(case.config, {"seed": 0})


def _extra_bytes(
    cases: Iterable[Case], probes: Mapping[tuple[str, Config], Probe | str], at_once: int
) -> float:
    """Return the bytes that the runs need besides their own files.

    The inputs and truths of pairs lie there once for all. A run in work has checkpoints, and writes
    one before an older one goes.
    """
    shared: dict[Path, float] = {}
    passing = 0.0
    for case in cases:
        known = probes.get(_kind(case))
        if isinstance(known, Probe):
            pairs = Manifest.read(Path(case.config.data.manifest))
            folder = case.run.shared_pictures(pairs.hash)
            pictured = len(pairs.sample(case.config.evaluation.pictured))
            missing = pictured * known.shared_bytes - _bytes(folder)
            shared[folder] = max(missing, shared.get(folder, 0.0))
            gone = 1 if case.config.training.keep_checkpoints else KEPT + 1
            passing = max(passing, gone * known.checkpoint_bytes)
    return sum(shared.values()) + min(at_once, len(probes)) * passing


def together(seconds: Sequence[float], at_once: int) -> float:
    """Return the time until all are done, if each begins when one of `at_once` places is free."""
    ends = [0.0] * at_once
    for each in seconds:
        heapq.heapreplace(ends, ends[0] + each)
    return max(ends)


def _bytes(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; 0 if it is not there."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
