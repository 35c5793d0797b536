"""The sections of `python -m bench speed`: how fast the suite is on this machine.

Every figure is a median. Ratios compare with a plain way of doing the same work, timed in the same
call. Networks have random weights, since the time does not depend on them.
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
"""Functions from a number of repeats to the rows of a section, by the section's name."""


def machine() -> str:
    """Describe device, precision units and torch version in one line."""
    facts, where = environment(), device.choose("auto")
    units = "with" if device.has_bf16_units(where) else "without"
    return f"{facts['device']}, {units} bf16 units, torch {facts['packages']['torch']}"
