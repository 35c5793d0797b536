"""The metrics of LBAM's released test script, kept to explain the paper's numbers.

They stand in the records next to PSNR and SSIM, and never in their place. The composite is rounded
to 8 bits here, as for every metric, while the script measured it unrounded.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.evaluation.metrics.metric import metric
from bench.evaluation.metrics.pixelwise import mean_over
from bench.evaluation.metrics.ssim import K1, K2, SIGMA, WINDOW

if TYPE_CHECKING:
    from torch import Tensor


@metric("legacy_psnr_mse", label="MSE that legacy PSNR pools", unit="levels²",
        higher_is_better=False, digits=1, order=201, regions=("composite",),
        headline=False)  # fmt: skip
def legacy_psnr_mse(output: Tensor, target: Tensor, hole: Tensor | None = None) -> Tensor:
    """Return the mean squared error of each image in levels², [B]; 0 for equal images.

    The script takes one PSNR of a whole batch, which is no number of an image. What an image adds
    to it is this error: over any set of records, the pooled PSNR in dB is

        20 log10(255) - 10 log10(mean of legacy_psnr_mse)

    and the script's result is the mean of that over its batches. It is at most the mean of the
    images' own PSNR, since the images with the largest errors rule the pool.
    """
    return mean_over((output - target).square(), hole)


@metric("legacy_ssim", label="legacy SSIM", higher_is_better=True, order=202,
        regions=("composite",), headline=False)  # fmt: skip
def legacy_ssim(output: Tensor, target: Tensor, hole: Tensor | None = None) -> Tensor:
    """Return the released script's SSIM [B], mean over channels and all positions.

    Values are in 0..255, but the constants are those of values in [0,1]: C1 = 0.01² and
    C2 = 0.03². They are too small to hide the noise of smooth areas, so that the result is far
    below `ssim`. Windows are 11x11 Gaussians of sigma 1.5, around every pixel; zeros stand outside
    of the image, and raise the values at its border. The script's mean over a batch is that of its
    images.
    """
    import torch

    # One image at a time, so that its planes stay in the processor's cache. In float32, the error
    # of E[x²] - E[x]² can exceed C2.
    images = zip(output.double(), target.double(), strict=True)
    return torch.stack([_ssim(x, y) for x, y in images])


def _ssim(x: Tensor, y: Tensor) -> Tensor:
    """Return the mean similarity of two images [C,H,W] in 0..255."""
    mean_x, mean_y, squares, product = (_blur(plane) for plane in (x, y, x * x + y * y, x * y))
    means, variances = mean_x * mean_y, squares - mean_x**2 - mean_y**2
    c1, c2 = K1**2, K2**2
    luminance = (2 * means + c1) / (mean_x**2 + mean_y**2 + c1)
    return (luminance * (2 * (product - means) + c2) / (variances + c2)).mean()


def _blur(planes: Tensor) -> Tensor:
    """Return the Gaussian means of the windows around all pixels of [C,H,W], zeros outside."""
    import torch.nn.functional as F

    _, height, width = planes.shape
    padded = F.pad(planes, [WINDOW // 2] * 4)
    return _line_means(_line_means(padded, 1, height), 2, width)


def _line_means(planes: Tensor, axis: int, side: int) -> Tensor:
    """Return the Gaussian means of the `side` windows along one axis.

    Shifted planes are summed: torch's convolution in float64 takes many times as long.
    """
    import torch

    offsets = range(-(WINDOW // 2), WINDOW // 2 + 1)
    weights = [math.exp(-(offset**2) / (2 * SIGMA**2)) for offset in offsets]
    total = torch.zeros_like(planes.narrow(axis, 0, side))
    for shift, weight in enumerate(weights):
        total.add_(planes.narrow(axis, shift, side), alpha=weight / sum(weights))
    return total
