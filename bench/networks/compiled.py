"""Networks with frozen, compiled weights, for filling many images of one size."""

from __future__ import annotations

import shutil
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.core.errors import UserError


class Compiled(nn.Module):
    """A network in evaluation mode, compiled when it first fills a batch.

    Compiling takes a minute and is done for each size of image, so batches smaller than `batch`
    are padded to it. Frozen weights are laid out once for the processor's units, and neighbouring
    operations become one. Outputs differ from the network's own in the last bits.
    """

    def __init__(self, network: nn.Module, batch: int) -> None:
        """Keep a copy of the network; without a C++ compiler, raise a `UserError`."""
        super().__init__()
        if not any(map(shutil.which, ("g++", "clang++", "c++"))):
            raise UserError("--compile on: there is no C++ compiler; install g++, or leave it out")
        self.batch = batch
        frozen = deepcopy(network).eval().requires_grad_(False)
        self.compiled = torch.compile(frozen, options={"freezing": True}, dynamic=False)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the raw output [B,3,H,W] of the network for up to `batch` images."""
        from torch._dynamo.exc import TorchDynamoException  # here inside: it takes a second

        missing = self.batch - len(image)
        padded = (F.pad(x, (0, 0, 0, 0, 0, 0, 0, missing)) for x in (image, mask))
        try:
            output: Tensor = self.compiled(*padded)
        except TorchDynamoException as error:
            reason = str(error).strip().partition("\n")[0]
            raise UserError(
                f"--compile on: the network cannot be compiled here ({reason}); leave it out"
            ) from error
        return output[: len(image)]
