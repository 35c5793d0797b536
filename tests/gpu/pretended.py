"""A device for machines without a GPU, on which a GPU's two pitfalls are errors.

torch's device `meta` holds shapes and no numbers: to read one back is an error of torch's own. A
GPU would wait there for all the work that is queued. `Watch` adds that no operation mixes devices.
(FakeTensorMode can pretend to be CUDA, but without a driver it has no way backward.)
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.config import Config
from bench.training.processes import make_accelerator, start_processes

DEVICE = torch.device("meta")
COPIES = {torch.ops.aten._to_copy, torch.ops.aten.copy_}
READ_BACK = "out of meta tensor|cannot be called on meta|nonzero"
"""Words of torch where a number is read back."""


class Watch(TorchDispatchMode):
    """Raises an `AssertionError` where an operation has tensors of two devices, or draws on one.

    Passes backward and optimizers are watched too. Random numbers must come from a stream on the
    CPU, so that every device gets the same.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waits = 0
        """Copies to the device for which the host would wait until all queued work is done."""

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given, made = _devices((args, kwargs)), _devices(result)
        drawn = DEVICE in made and torch.Tag.nondeterministic_seeded in func.tags
        assert not drawn, f"{func} draws on the device"
        if func.overloadpacket in COPIES:
            asynchronous = (kwargs or {}).get("non_blocking") or True in args[2:]
            self.waits += DEVICE in made and given != {DEVICE} and not asynchronous
        elif torch.Tag.pointwise not in func.tags:  # torch itself checks these, and lets scalars be
            assert len(given) < 2, f"{func} mixes {', '.join(map(str, given))}"
        return result


def _devices(tree: object) -> set[torch.device]:
    return {leaf.device for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)}


def accelerator(config: Config) -> Accelerator:
    """Return the accelerator that a training on `DEVICE` has."""
    start_processes(config).device = DEVICE
    return make_accelerator(config, "fp32")
