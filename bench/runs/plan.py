"""The plan of an experiment: what is left to do for a run, and in which folder."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple

from bench.core.errors import UserError
from bench.runs.identity import of_measurement
from bench.runs.run import Run, of_pictures, of_training

log = logging.getLogger(__name__)
Work = Literal["nothing", "pictures", "measurement", "training"]
"""Steps that a run still needs; each includes those before it."""
Identity = Mapping[str, Any]


class Plan(NamedTuple):
    """The work that is left, and the run to do it in."""

    work: Work
    run: Run
    fresh: bool = False
    """Whether everything in the run's folder goes first."""
    damaged: tuple[str, ...] = ()
    """Files of the run, by relative name, that go first and are made again."""


def plan(
    run: Run,
    identity: Identity,
    everything: Work,
    redo: bool,
    pictured: Collection[int] = (),
) -> Plan:
    """Return what is left to do; a run of another training, or one beyond repair, is an error.

    `everything` is the work of a run from its beginning, and `pictured` are the numbers of the test
    pairs whose pictures it must have. Nothing is written or removed here.
    """
    if redo and run.path.exists():
        return _replacement(run.successor, identity, everything)
    progress = run.progress
    if progress == "finished":
        return _repair(run, identity, everything, pictured)
    if progress == "absent":
        _refuse_leftovers(run)
        return Plan(everything, run)
    if run.empty:  # it failed, or was killed, before anything was kept: its settings bind nobody
        return Plan(everything, run, fresh=True)
    _changed_measurement(run, identity)
    return Plan(_rest(run, everything), run)


def _replacement(successor: Run, identity: Identity, everything: Work) -> Plan:
    """Plan a `--redo`: one of the same settings that was interrupted goes on."""
    try:
        goes_on = successor.progress in ("running", "failed") and not successor.differences(
            identity
        )
    except UserError:  # damaged, and nobody's result
        goes_on = False
    return Plan(_rest(successor, everything) if goes_on else everything, successor, not goes_on)


def _repair(run: Run, identity: Identity, everything: Work, pictured: Collection[int]) -> Plan:
    """Plan the rest of a finished run: damaged files, and what is asked for now."""
    problems = run.damaged()
    changed = _changed_measurement(run, identity)
    for name, problem in problems.items():
        log.warning("%s %s; it is made again", run.path / name, problem)
    if changed:
        log.info("%s is measured again: %s", run.path, "; ".join(changed.values()))
    if any(of_training(name) for name in problems):
        return Plan(everything, run, damaged=tuple(problems))
    if changed or not all(of_pictures(name) for name in problems):
        return Plan("measurement", run, damaged=tuple(problems))
    if problems or run.lacks_pictures(pictured):
        log.info("%s is finished; its pictures are made again", run.path)
        return Plan("pictures", run)
    log.info("%s is finished; skipped", run.path)
    return Plan("nothing", run)


def _refuse_leftovers(run: Run) -> None:
    """Raise a `UserError` for a folder with results and no state: nothing tells what they are."""
    if not run.empty:
        raise UserError(
            f"{run.path} holds files of a run but no {run.state.name}; take it from a copy, or use "
            "--redo to replace the run"
        )


def _changed_measurement(run: Run, identity: Identity) -> dict[str, str]:
    """Return the differences in what is measured; any in the training are a `UserError`."""
    changed = run.differences(identity)
    if "distances" not in identity:  # what was measured with more at hand stays
        changed.pop("distances", None)
    if any(not of_measurement(name) for name in changed):
        raise UserError(
            f"{run.path} is a {run.progress} run with other settings: "
            f"{'; '.join(changed.values())}. Use --redo to replace it, or {_another(changed)}"
        )
    return changed


def _another(changed: Mapping[str, str]) -> str:
    """Return how to make another run; two models of one name would be taken for one method."""
    if ", " in changed.get("code", ""):  # a model's file, see `bench.core.origin.model_file`
        return "tell two models apart by :name=NAME behind the file"
    return "--name to make another"


def _rest(run: Run, everything: Work) -> Work:
    """Return what a run needs that was begun: trained weights are measured and not trained."""
    return "measurement" if run.training_done else everything
