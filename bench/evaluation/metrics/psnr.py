"""The peak signal-to-noise ratio."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.evaluation.metrics.metric import metric
from bench.evaluation.metrics.pixelwise import RANGE, mean_over

if TYPE_CHECKING:
    from torch import Tensor


@metric("psnr", label="PSNR", unit="dB", higher_is_better=True, margin=0.1, digits=2, order=1,
        regions=("composite", "raw", "hole"))  # fmt: skip
def psnr(output: Tensor, target: Tensor, hole: Tensor | None = None) -> Tensor:
    """Return 20 log10(255) - 10 log10(MSE) of each image in dB, [B]; inf for equal images."""
    return 20 * math.log10(RANGE) - 10 * mean_over((output - target).square(), hole).log10()
