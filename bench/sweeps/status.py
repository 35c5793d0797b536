"""How far the runs in a folder are, also those to come. Reads files alone, and imports no torch."""

from __future__ import annotations

import csv
import math
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from bench.core.errors import UserError
from bench.core.files import read_json
from bench.core.heartbeat import MISSED, STOPPED, Beat, read
from bench.runs.run import REDO, Run, find
from bench.sweeps.sweep import DESCRIPTION, described, entries, is_sweep, root_of

State = Literal[
    "not started", "queued", "running", "stopped", "stale", "failed", "finished", "damaged"
]  # fmt: skip


@dataclass(frozen=True)
class Status:
    """The state of one run, as far as its files tell; what they do not tell is None or empty."""

    run: str
    redo: bool
    """Whether this is the new run of a `--redo`, which has not yet replaced the old one."""
    state: State
    note: str = ""
    """The phase of a running run, or why another one is failed, stopped, stale or damaged."""
    step: int | None = None
    steps: int | None = None
    images_per_s: float | None = None
    seconds_left: float | None = None
    """Seconds of training that are left; the measurement follows."""
    psnr: float | None = None
    """Mean composite PSNR of the last validation, dB."""
    host: str = ""
    device: str = ""
    job: str = ""


def survey(folder: Path) -> list[Status]:
    """Return the states of runs, by name: of those in a folder, or of a sweep in its own folder.

    Runs that a sweep in the folder describes are listed before they have a folder, too. A
    description that is damaged has a line among them. A folder that does not exist, and a sweep's
    own folder with a damaged description, are a `UserError`.
    """
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; give the --out of your runs")
    if is_sweep(folder):
        own = _jobs(folder)
        return [status for status in _states(root_of(folder), own) if status.run in own]
    jobs: dict[str, str] = {}
    damaged = []
    for sweep in described(folder):
        try:
            found = _jobs(sweep)
            jobs |= {run: job or jobs.get(run, "") for run, job in found.items()}
        except UserError as error:  # one description that cannot be read hides no run
            damaged.append(Status(f"{sweep.name}/{DESCRIPTION}", False, "damaged", str(error)))
    return [*damaged, *_states(folder, jobs)]


def _jobs(sweep: Path) -> dict[str, str]:
    """Return the number of the job of each run that a sweep describes, or nothing."""
    return {entry.run: entry.job for entry in entries(sweep)}


def _states(root: Path, jobs: Mapping[str, str]) -> list[Status]:
    """Return the states of all runs directly below a folder, and of those that `jobs` names."""
    redone = [Run(path.parent) for path in root.glob(f".*{REDO}/state.json")]
    begun = [_status(run) for run in [*find(root), *redone]]
    there = {status.run for status in begun if not status.redo}
    awaited = [_awaited(Run(root / name), job) for name, job in jobs.items() if name not in there]
    return sorted([*begun, *awaited], key=lambda status: (status.run, not status.redo))


def _awaited(run: Run, job: str) -> Status:
    """Return the state of a run that has not begun; `job` is its number, or nothing."""
    try:
        held = run.held
    except OSError as error:
        return Status(run.name, False, "damaged", str(error), job=job)
    if held:  # the process that will begin it prepares its inputs
        return Status(run.name, False, "running", "starting", job=job)
    return Status(run.name, False, "queued" if job else "not started", job=job)


def _status(run: Run) -> Status:
    name, redo = _name(run), run.name.endswith(REDO)
    try:
        beat = None if run.progress == "finished" else read(run.heartbeat)
        state, note = _state(run, beat)
    except (UserError, OSError) as error:  # one run that cannot be read hides no other
        return Status(name, redo, "damaged", str(error))
    host, device, job = _machine(run, beat)
    status = Status(
        name, redo, state, note, psnr=_last_psnr(run), host=host, device=device, job=job
    )
    if beat is None or not beat.steps:
        return status
    status = replace(status, step=beat.step, steps=beat.steps)
    if state != "running":
        return status
    return replace(status, images_per_s=beat.images_per_s, seconds_left=beat.seconds_left)


def _name(run: Run) -> str:
    """Return the name of a run, or that of the run that a `--redo` replaces."""
    return run.name.removeprefix(".").removesuffix(REDO)


def _state(run: Run, beat: Beat | None) -> tuple[State, str]:
    """Return the state of a run with the phase or the reason."""
    progress = run.progress
    if progress == "finished":
        return "finished", ""
    if progress == "failed":
        return "failed", run.failure
    if beat and beat.phase == STOPPED:
        return "stopped", "the same command goes on"
    silence = _silence(run, beat)
    if silence:
        return "stale", silence
    return "running", beat.phase if beat else "starting"


def _silence(run: Run, beat: Beat | None) -> str:
    """Return what tells that no process works on a run, or nothing."""
    at_work = Run(run.path.with_name(_name(run))).held  # a `--redo` holds the old run's lock
    if beat is None:
        # The work on a run begins without a beat, but not while a `--redo` of it has the lock.
        begins = at_work and not run.successor.state.exists()
        return "" if begins else "no process works on it"
    # Locks of other machines are not seen on every file system.
    if beat.host == platform.node() and not at_work:
        return "no process works on it"
    age = time.time() - beat.time
    return f"no heartbeat for {duration(age)}" if age > MISSED * beat.period else ""


def duration(seconds: float) -> str:
    """Return seconds as minutes and seconds, with hours where there are any: `1:02:03`."""
    return tqdm.format_interval(seconds)


def _last_psnr(run: Run) -> float | None:
    try:
        with run.validation.open(encoding="utf-8", newline="") as file:
            *_, last = csv.DictReader(file)  # no row at all is a ValueError
        psnr = float(last["psnr"])
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return None  # none yet, or damaged: the sums tell of that
    return psnr if math.isfinite(psnr) else None


def _machine(run: Run, beat: Beat | None) -> tuple[str, str, str]:
    """Return host, device and job of a run, as its heartbeat or its environment tells them."""
    try:
        found: Any = read_json(run.environment)
    except UserError:
        found = None
    told = found if isinstance(found, dict) else {}  # one of an older version has no host
    host, device, job = (str(told.get(name, "")) for name in ("host", "device", "job"))
    return (beat.host, device, beat.job) if beat else (host, device, job)
