"""The report of a sweep, over the runs that are finished."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli import methods, pictures
from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.runs.run import Run
    from bench.sweeps.status import Status
    from reports.expected import Expected


def write(folder: Path) -> int:
    """Write the report of a sweep into its own folder, print its tables, return the exit code.

    It tells which runs are missing and why; each is told on stderr too, and makes the code 2. A
    sweep without any finished run is a `UserError`.
    """
    from bench.runs.run import Run
    from bench.sweeps.sweep import report_of, root_of
    from reports import build

    expected = _expected(folder)
    runs = [Run(root_of(folder) / known.run) for known in expected if not known.missing]
    missing = {known.run: known.missing for known in expected if known.missing}
    if not runs:
        raise UserError(
            f"no run of the sweep {folder} is finished ({_counted(missing.values())}); "
            f"`python -m bench status {folder}` says more"
        )
    if report_of(folder) == "ablation":
        failed, text = [], build.ablation(runs, folder, expected)
    else:
        failed, text = _measure_costs(runs), build.comparison(runs, folder, expected)
    print(f"\n{text}\ntables and plots: {folder}")
    for run, why in missing.items():
        print(f"missing: {run}: {why}", file=sys.stderr)
    return max(methods.report_failed(failed), 2 if missing else 0)


def _expected(folder: Path) -> list[Expected]:
    """Return the runs that a sweep describes, in its order, with the reasons of those missing."""
    from bench.sweeps.status import survey
    from bench.sweeps.sweep import entries, run_of
    from reports.expected import Expected

    states = {status.run: status for status in survey(folder) if not status.redo}
    return [
        Expected(entry.run, entry.method, entry.tag, _why(run_of(folder, entry), states[entry.run]))
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


def _counted(reasons: Iterable[str]) -> str:
    """Return how many runs are in each state: `2 failed, 1 queued`."""
    states = Counter(reason.partition(":")[0] for reason in reasons)
    return ", ".join(f"{count} {state}" for state, count in states.items())


def _measure_costs(runs: Sequence[Run]) -> list[str]:
    """Measure the costs of the methods of runs that have none yet; return what went wrong."""
    unknown = [run for run in runs if not run.cost.exists()]
    failed: list[str] = []
    if unknown:
        from bench.core.device import tune_cpu

        tune_cpu()
        from bench.profiling import cost

        for run in unknown:
            methods.attempt(run.name, partial(cost.of_run, run), failed)
    return failed
