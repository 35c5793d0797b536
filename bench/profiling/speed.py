"""The sections of `python -m bench speed`: how fast the suite is on this machine.

Every figure is a median. Ratios compare with a plain way of doing the same work, timed in the same
call. Networks have random weights, since the time does not depend on them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.profiling.data import data
from bench.profiling.evaluation import evaluation
from bench.profiling.inference import compiled, inference
from bench.profiling.rate import matrix_rate
from bench.profiling.samples import precisions
from bench.profiling.start import start
from bench.profiling.timing import Row
from bench.profiling.training import compiled_step, training
from bench.runs.environment import environment

Section = Callable[[int], list[Row]]
"""Function from a number of repeats to the rows of a section."""


def sections(clone: Path | None = None) -> dict[str, Section]:
    """Return all sections by name; a `clone` of the released code is timed in those it concerns."""
    return {
        "training": partial(training, clone=clone),
        "inference": partial(inference, clone=clone),
        "compiled": lambda repeats: [*compiled(repeats, clone), *compiled_step(repeats, clone)],
        "evaluation": evaluation,
        "data": data,
        "start": start,
    }


def share(row: Row) -> float | None:
    """Return a row's operations per second as a share of the matrix rate; None without any.

    It may exceed 1: fast ways of convolution need fewer operations than are counted.
    """
    return row.flops / row.seconds / matrix_rate(row.precision) if row.flops else None


def machine() -> str:
    """Describe device, processor, torch version and matrix rates in one line."""
    facts = environment()
    rates = ", ".join(f"{matrix_rate(p) / 1e9:.0f} GFLOP/s in {p}" for p in precisions())
    torch = facts["packages"]["torch"]
    return f"{facts['device']}, {facts['processor']}, torch {torch}; matrix rate {rates}"
