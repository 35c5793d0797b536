"""The processes that train one run together: one, or as many as `torchrun` starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
from accelerate.utils import broadcast_object_list

from bench.config import Config
from bench.core import device
from bench.core.errors import UserError

Value = TypeVar("Value")
PATIENCE = timedelta(days=7)
"""Longest wait of one process for another, which may be decoding a large data set."""


class ToldByFirstError(UserError):
    """An error of the first process, which tells it, as the other processes meet it."""


def make_accelerator(config: Config) -> Accelerator:
    """Return the accelerator for a config's device and precision."""
    where = device.choose(config.training.device)
    settings: dict[str, Any] = {
        "cpu": where.type == "cpu",
        "mixed_precision": device.mixed_precision(config.training.precision, where),
        "kwargs_handlers": [
            # Batch norm's buffers must not be overwritten between a critic's three forward passes.
            DistributedDataParallelKwargs(broadcast_buffers=False),
            InitProcessGroupKwargs(timeout=PATIENCE),
        ],
    }
    return Accelerator(**settings)


def from_first(accelerator: Accelerator, value: Value) -> Value:
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
def telling_others(accelerator: Accelerator) -> Iterator[None]:
    """Let no process wait in `from_first` for one that fails here."""
    try:
        yield
    except BaseException:
        if accelerator.num_processes > 1:
            broadcast_object_list([ToldByFirstError("the first process failed, and says why")])
        raise


def any_process(accelerator: Accelerator, flag: bool) -> bool:
    """Return whether the flag is set in any process; every process must ask."""
    if accelerator.num_processes == 1:
        return flag
    flags = torch.tensor(float(flag), device=accelerator.device)
    return bool(accelerator.reduce(flags, reduction="sum") > 0)  # type: ignore[operator]
