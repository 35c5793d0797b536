"""Arithmetic that the metrics share.

It imports no torch, since tables and plots import the metrics and must start fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

RANGE = 255.0
"""Difference between white and black in a picture of 8 bits."""


def quantise(image: Tensor) -> Tensor:
    """Quantise images in [0,1] to whole numbers 0..255, float32, as a picture file holds them."""
    return (image.float().clamp(0, 1) * RANGE).round()


def mean_over(error: Tensor, hole: Tensor | None) -> Tensor:
    """Return the mean [B], float64, of errors [B,3,H,W] over all pixels, or those of a hole.

    `hole` [B,1,H,W] is 1 for the pixels that count.
    """
    # Rows are summed in float32, where sums of whole numbers below 2^24 are exact; the rest is
    # summed in float64.
    if hole is None:
        return error.sum(-1).double().sum((1, 2)) / error[0].numel()
    total = (error * hole).sum(-1).double().sum((1, 2))
    return total / (error.shape[1] * hole.sum((1, 2, 3)).double())
