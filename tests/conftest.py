"""Shared by all tests: a tiny experiment, and a process state that no test inherits."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from bench.__main__ import spare_searches

if TYPE_CHECKING:
    from torch import Tensor

# Before torch is imported: the same bits in every subprocess, and no threads that spin while they
# wait, which stalls everything where other work shares the processors. Workers of pytest-xdist
# share two threads.
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
THREADS = min(int(os.environ.get("OMP_NUM_THREADS", "2")), max(1, 2 // WORKERS))
os.environ["OMP_NUM_THREADS"] = str(THREADS)
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
spare_searches()  # a sixth of the suite's processor time

TINY = shlex.split(
    "--size 64 --resize 88 --width 4 --depth 4 --critic-width 4 --steps 6 --batch-size 2 --pairs 2 "
    "--validation-pairs 1 --checkpoint-every 3 --validate-every 3 --log-every 1 --precision fp32"
)
"""Options that make a run of a few seconds, on every machine in the same precision: two processes
that are compared might find another one faster each."""


def lesson(image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what the trainer gives to `Learner.step`: holed image, mask and target."""
    return image * mask, mask, image


def learns(step: Callable[[int], Tensor], share: float, most: int) -> bool:
    """Return whether a training's error falls under a share of its first within `most` steps.

    `step` takes the number of a step and returns its error. How many steps it takes differs between
    processors, whose sums round differently: `most` is at least twice what the slowest of five
    seeds took under AVX2 and AVX-512.
    """
    first = step(0).item()
    return any(step(number).item() < share * first for number in range(1, most))


@pytest.fixture
def tiny() -> list[str]:
    return list(TINY)


@pytest.fixture(autouse=True)
def fresh_accelerator() -> Iterator[None]:
    """accelerate keeps one state per process; the next test may want another precision."""
    yield
    import sys

    if "accelerate" in sys.modules:
        from accelerate.state import AcceleratorState

        AcceleratorState._reset_state(reset_partial_state=True)
    logging.getLogger("bench").setLevel(logging.NOTSET)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """For tiny networks: a second thread waits more than it works, most of all when busy."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
