"""Compiled functions, and networks with compiled weights for filling many images of one size."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.core.errors import UserError

Result = TypeVar("Result")


def check_compiler(option: str) -> None:
    """Raise a `UserError` without a C++ compiler; it names the `option` that needs one."""
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        raise UserError(f"{option}: there is no C++ compiler; install g++, or leave it out")


def compiled(
    function: Callable[..., Result], option: str, **settings: Any
) -> Callable[..., Result]:
    """Return a function of tensors that compiles when it is first called, for each new shape.

    Without a C++ compiler, or where the function cannot be compiled, there is a `UserError`, which
    names the `option` that asked for it. `settings` are those of `torch.compile`.
    """
    check_compiler(option)
    fast = torch.compile(function, dynamic=False, **settings)

    def call(*tensors: Tensor) -> Result:
        from torch._dynamo.exc import TorchDynamoException  # here inside: it takes a second

        try:
            return fast(*tensors)
        except TorchDynamoException as error:
            reason = str(error).strip().partition("\n")[0]
            raise UserError(
                f"{option}: this cannot be compiled here ({reason}); leave it out"
            ) from error

    return call


class Compiled(nn.Module):
    """A network in evaluation mode, compiled when it first fills a batch.

    Compiling takes a minute and is done for each size of image, so batches smaller than `batch`
    are padded to it. Frozen weights are laid out once for the processor's units, and neighbouring
    operations become one. Outputs differ from the network's own in the last bits.
    """

    def __init__(self, network: nn.Module, batch: int) -> None:
        """Keep a copy of the network; without a C++ compiler, raise a `UserError`."""
        super().__init__()
        self.batch = batch
        frozen = deepcopy(network).eval().requires_grad_(False)
        self.compiled = compiled(frozen, "--compile on", options={"freezing": True})

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the raw output [B,3,H,W] of the network for up to `batch` images."""
        missing = self.batch - len(image)
        padded = (F.pad(x, (0, 0, 0, 0, 0, 0, 0, missing)) for x in (image, mask))
        output: Tensor = self.compiled(*padded)
        return output[: len(image)]
