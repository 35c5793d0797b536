"""The sections of `python -m bench speed`: how fast the suite is on this machine.

Every figure is a median. Ratios are against a plain way of doing the same, timed in the same call.
Networks have random weights, since time does not depend on them.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.core import device
from bench.profiling.data import data
from bench.profiling.evaluation import evaluation
from bench.profiling.inference import inference
from bench.profiling.start import start
from bench.profiling.timing import Row
from bench.profiling.training import training
from bench.runs.environment import environment

SECTIONS: dict[str, Callable[[int], list[Row]]] = {
    "training": training,
    "inference": inference,
    "evaluation": evaluation,
    "data": data,
    "start": start,
}


def machine() -> str:
    """Return device, precision units and torch version in one line."""
    facts, where = environment(), device.choose("auto")
    units = "with" if device.has_bf16_units(where) else "without"
    return f"{facts['device']}, {units} bf16 units, torch {facts['packages']['torch']}"
