"""The floor under every table: each hole filled with the mean colour of its known pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.config import Model
from bench.registry import Method, register

if TYPE_CHECKING:
    from torch import nn


def _build(model: Model) -> nn.Module:
    from torch import Tensor, nn

    class MeanColour(nn.Module):
        def forward(self, image: Tensor, mask: Tensor) -> Tensor:
            known = mask.sum((2, 3), keepdim=True).clamp_min(1)
            return ((image * mask).sum((2, 3), keepdim=True) / known).expand_as(image)

    return MeanColour()


register(
    Method(
        name="mean-colour",
        family="baseline",
        summary="holes filled with the mean colour of the known pixels",
        build=_build,
        module=__name__,
        parameters=lambda model: 0,
        trainable=False,
    )
)
