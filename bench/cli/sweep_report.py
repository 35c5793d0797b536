"""The report of a sweep, over the runs that are finished."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli import pictures
from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.runs.run import Run
    from bench.sweeps.status import Status
    from reports.expected import Expected


def write(folder: Path, failed: Mapping[str, str] | None = None) -> int:
    """Write the report of a sweep into its own folder, print its tables, return the exit code.

    It tells which runs are missing and why; each is told on stderr too, and makes the code 2. A
    sweep without any finished run is a `UserError`. `failed` are the reasons why runs could not be
    made just now, by name: these are missing whatever their folders tell.
    """
    from bench.runs.run import Run
    from bench.sweeps.sweep import report_of, root_of
    from reports import build

    expected = _expected(folder, failed or {})
    runs = [Run(root_of(folder) / known.run) for known in expected if not known.missing]
    missing = {known.run: known.missing for known in expected if known.missing}
    if not runs:
        raise UserError(f"no run of the sweep {folder} is finished: {_by_reason(missing)}")
    runs += _outputs_on_pairs_of(runs)
    report = build.ablation if report_of(folder) == "ablation" else build.comparison
    print(f"\n{report(runs, folder, expected)}\ntables, plots and pictures: {folder}")
    for run, why in missing.items():
        print(f"missing: {run}: {why}", file=sys.stderr)
    return 2 if missing else 0


def _outputs_on_pairs_of(runs: Sequence[Run]) -> list[Run]:
    """Return the sound runs next to some others of outputs from elsewhere, on their test pairs."""
    from bench.core.run_folder import OUTPUTS
    from bench.runs.run import find, sound

    pairs = {run.read_identity()["test pairs"] for run in runs}
    found, _ = sound(run for run in find(runs[0].path.parent) if f"-{OUTPUTS}-" in run.name)
    return [run for run in found if run.read_identity()["test pairs"] in pairs]


def _expected(folder: Path, failed: Mapping[str, str]) -> list[Expected]:
    """Return the runs that a sweep describes, in its order, with the reasons of those missing."""
    from bench.sweeps.status import survey
    from bench.sweeps.sweep import entries, run_of
    from reports.expected import Expected

    states = {status.run: status for status in survey(folder) if not status.redo}
    told = {run: f"failed: {why}" for run, why in failed.items()}
    return [
        Expected(
            entry.run,
            entry.method,
            entry.tag,
            told.get(entry.run) or _why(run_of(folder, entry), states[entry.run]),
        )
        for entry in entries(folder)
    ]


def _why(run: Run, status: Status) -> str:
    """Return why a run cannot be reported, or nothing; its pictures are made again if need be."""
    if status.state == "finished":
        return _damage(run)
    reason = status.note or (f"job {status.job}" if status.job else "")
    return f"{status.state}: {reason}" if reason else status.state


def _damage(run: Run) -> str:
    from bench.runs.run import of_numbers

    try:
        run.check(of_numbers)
        pictures.restore(run)
    except UserError as error:
        return f"damaged: {error}"
    return ""


def _by_reason(missing: Mapping[str, str]) -> str:
    """Return the reasons, with the runs of each: `failed: why (a, b); not started (c)`."""
    runs: dict[str, list[str]] = {}
    for run, why in missing.items():
        runs.setdefault(why, []).append(run)
    return "; ".join(f"{why} ({', '.join(names)})" for why, names in runs.items())
