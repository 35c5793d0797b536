"""The mean absolute error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.evaluation.metrics.metric import metric
from bench.evaluation.metrics.pixelwise import RANGE, mean_over

if TYPE_CHECKING:
    from torch import Tensor


@metric("l1_percent", label="mean L1", unit="%", higher_is_better=False, margin=0.05, digits=2,
        order=3, regions=("composite", "raw", "hole"))  # fmt: skip
def l1_percent(output: Tensor, target: Tensor, hole: Tensor | None = None) -> Tensor:
    """Return 100 times the mean absolute error of each image, [B].

    The error is that of values in [0,1], averaged over pixels and channels.
    """
    return mean_over((output - target).abs(), hole) * (100 / RANGE)
