"""PConv: partial convolutions (Liu et al. 2018), under their objective and the common one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.config import Model
from bench.networks.layer_table import Conv, count
from bench.registry import Method, register

if TYPE_CHECKING:
    from torch import nn

    from bench.training.learner import Learner

KERNELS = (7, 5, 5)
"""Of the first encoder layers; all others are 3x3."""


def encoder(model: Model) -> list[Conv]:
    """The encoder's layers: stride 2, channels doubled up to eight times the first."""
    channels = [3, *(model.width * 2 ** min(level, 3) for level in range(model.depth))]
    return [
        Conv(
            KERNELS[level] if level < len(KERNELS) else 3,
            channels[level],
            channels[level + 1],
            stride=2,
            bias=False,
            norm=level > 0,
        )
        for level in range(model.depth)
    ]


def decoder(model: Model) -> list[Conv]:
    """The decoder's layers on the enlarged features and the skipped ones, deepest first."""
    levels = encoder(model)[::-1]
    table = [Conv(3, e.outputs + e.inputs, e.inputs, bias=False, norm=True) for e in levels[:-1]]
    return [*table, Conv(3, levels[-1].outputs + 3, 3)]


def parameters(model: Model) -> int:
    """25,779,796 at width 64, depth 7."""
    return count([*encoder(model), *decoder(model)])


def _build(model: Model) -> nn.Module:
    from baselines.pconv.network import PConvUNet

    return PConvUNet(encoder(model), decoder(model))


def _learner() -> type[Learner]:
    from baselines.pconv.learner import PConvLearner

    return PConvLearner


register(
    Method(
        name="pconv",
        family="baseline",
        summary="PConv (Liu et al. 2018), its own loss and fine-tuning",
        build=_build,
        module=__name__,
        parameters=parameters,
        learner=_learner,
    )
)
register(
    Method(
        name="pconv-common",
        family="baseline",
        summary="PConv's network under the common objective, as LBAM's variants",
        build=_build,
        module=__name__,
        parameters=parameters,
    )
)
