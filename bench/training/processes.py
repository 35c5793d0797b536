"""The processes that train one run together: one, or as many as `torchrun` starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any, TypeAlias, TypeVar, cast

import torch
from accelerate import (
    Accelerator,
    DistributedDataParallelKwargs,
    InitProcessGroupKwargs,
    PartialState,
)
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list
from torch import distributed

from bench.config import Config
from bench.core import device
from bench.core.errors import UserError
from bench.training.precision import Precision

Value = TypeVar("Value")
Processes: TypeAlias = Accelerator | PartialState
MODES: dict[Precision, str] = {"fp32": "no", "bf16": "bf16"}
"""Names of accelerate's autocast modes."""
PATIENCE = timedelta(days=7)
"""Longest wait of one process for another, which may be decoding a large data set."""


class ToldByFirstError(UserError):
    """An error of the first process, which tells it, as the other processes meet it."""


def start_processes(config: Config) -> PartialState:
    """Return the processes that work on a config's device; the first call lets them meet."""
    on_cpu = device.choose(config.training.device).type == "cpu"
    return PartialState(cpu=on_cpu, timeout=PATIENCE)


def make_accelerator(config: Config, precision: Precision) -> Accelerator:
    """Return the accelerator for a config's device, and for one precision in all processes."""
    settings: dict[str, Any] = {
        "cpu": device.choose(config.training.device).type == "cpu",
        "mixed_precision": MODES[precision],
        "kwargs_handlers": [
            # Batch norm's buffers must not be overwritten between a critic's three forward passes.
            DistributedDataParallelKwargs(broadcast_buffers=False),
            InitProcessGroupKwargs(timeout=PATIENCE),
        ],
    }
    # accelerate has one precision per process, and the next run in this one may have another.
    AcceleratorState._reset_state()
    return Accelerator(**settings)


def decided_by_first(processes: PartialState, decide: Callable[[], Value]) -> Value:
    """Return what the first process decides, in all processes."""
    with telling_others(processes):
        decision = decide() if processes.is_main_process else None
    return cast(Value, from_first(processes, decision))


def from_first(accelerator: Processes, value: Value) -> Value:
    """Give all processes the value of the first, and return it.

    It is a `ToldByFirstError` where the first process fails inside `telling_others` instead.
    """
    shared: list[Any] = [value]
    if accelerator.num_processes > 1:
        broadcast_object_list(shared)
    if isinstance(shared[0], ToldByFirstError):
        raise shared[0]
    found: Value = shared[0]
    return found


@contextmanager
def telling_others(accelerator: Processes) -> Iterator[None]:
    """Let no process wait in `from_first` for one that fails here."""
    try:
        yield
    except BaseException:
        if accelerator.num_processes > 1:
            broadcast_object_list([ToldByFirstError("the first process failed, and says why")])
        raise


def any_process(accelerator: Accelerator, *flags: bool) -> list[bool]:
    """Return which flags are set in any process; every process must ask.

    The hosts tell each other: to read a number of a GPU, a host would wait for its queued work.
    """
    if accelerator.num_processes == 1:
        return list(flags)
    counts = torch.tensor(flags, dtype=torch.int32)
    distributed.all_reduce(counts, group=_hosts(distributed.group.WORLD))
    return [count > 0 for count in counts.tolist()]


@cache
def _hosts(world: object) -> Any:
    """Return the group of the processes of `world` whose messages go from host to host."""
    return distributed.new_group(backend="gloo", timeout=PATIENCE)
