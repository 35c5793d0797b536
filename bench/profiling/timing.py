"""The median time, and the rows that the sections of `python -m bench speed` return."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch


class Row(NamedTuple):
    """One line of a section's table."""

    what: str
    """The work that was timed."""
    seconds: float
    """Median seconds."""
    images: int = 0
    """Images in that time; 0 where images are not counted."""
    plain: float | None = None
    """Median seconds of the plain way of the same work, timed in the same call."""
    released: float | None = None
    """Median seconds of the released code for the same work, where its clone is given."""
    flops: int = 0
    """Floating-point operations of the work; 0 where they are not what it consists of."""
    precision: str = "fp32"
    """Precision of these operations, `fp32` or `bf16`."""


STEPS_TO_WARM_UP = 3
"""Steps of training in which the process still takes memory from the system."""


def median(work: Callable[[], object], repeats: int, warm_up: int = 1) -> float:
    """Return the median seconds of `work`, after `warm_up` calls that are not timed.

    The time includes the wait for the work that is queued on the device.
    """

    def once() -> float:
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():  # CUDA runs on its own: without a wait, calls end at once.
            torch.cuda.synchronize()
        return time.perf_counter() - start

    for _ in range(warm_up):  # The first calls also load libraries and allocate memory.
        once()
    return statistics.median(once() for _ in range(repeats))
