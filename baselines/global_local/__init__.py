"""Global&Local: globally and locally consistent image completion (Iizuka et al., 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.config import Model
from bench.networks.layer_table import Conv, count
from bench.registry import Method, register

if TYPE_CHECKING:
    from torch import nn

    from bench.training.learner import Learner


def generator(model: Model) -> list[Conv]:
    """The 17 layers of their Table 1; image and mask in, three channels out."""
    w = model.width
    rows = [
        # kernel, outputs, stride, dilation, up
        (5, w, 1, 1, False), (3, 2 * w, 2, 1, False), (3, 2 * w, 1, 1, False),
        (3, 4 * w, 2, 1, False), (3, 4 * w, 1, 1, False), (3, 4 * w, 1, 1, False),
        (3, 4 * w, 1, 2, False), (3, 4 * w, 1, 4, False), (3, 4 * w, 1, 8, False),
        (3, 4 * w, 1, 16, False), (3, 4 * w, 1, 1, False), (3, 4 * w, 1, 1, False),
        (4, 2 * w, 2, 1, True), (3, 2 * w, 1, 1, False), (4, w, 2, 1, True),
        (3, w // 2, 1, 1, False), (3, 3, 1, 1, False),
    ]  # fmt: skip
    inputs = [4, *(row[1] for row in rows)]
    return [
        Conv(k, inputs[i], out, stride, dilation, norm=i < len(rows) - 1, up=up)
        for i, (k, out, stride, dilation, up) in enumerate(rows)
    ]


def _build(model: Model) -> nn.Module:
    from baselines.global_local.network import Completion

    return Completion(generator(model))


def _learner() -> type[Learner]:
    from baselines.global_local.learner import GlobalLocalLearner

    return GlobalLocalLearner


register(
    Method(
        name="global-local",
        family="baseline",
        summary="Global&Local (Iizuka et al. 2017), in its three phases",
        build=_build,
        module=__name__,
        parameters=lambda model: count(generator(model)),
        learner=_learner,
    )
)
