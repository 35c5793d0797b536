"""The structural similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.evaluation.metrics.metric import metric
from bench.evaluation.metrics.pixelwise import RANGE

if TYPE_CHECKING:
    from torch import Tensor

WINDOW, SIGMA = 11, 1.5
"""Side and standard deviation of the Gaussian window, pixels (Wang et al. 2004)."""
K1, K2 = 0.01, 0.03
"""Small constants, times the range, that keep the quotients stable (Wang et al. 2004)."""


@metric("ssim", label="SSIM", higher_is_better=True, margin=0.005, order=2)
def ssim(output: Tensor, target: Tensor, hole: Tensor | None = None) -> Tensor:
    """Return the structural similarity [B] (Wang et al. 2004), mean over channels and positions.

    The window is Gaussian, 11x11, with sigma 1.5, and lies inside the image. The covariance is the
    population's, and the range 255. The same is computed by
    `skimage.metrics.structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, channel_axis=..., data_range=255)`. Images with a side below 11
    pixels raise a `ValueError`.
    """
    import torch

    if min(output.shape[-2:]) < WINDOW:
        raise ValueError(f"SSIM needs sides of at least {WINDOW} pixels")
    # Two images at a time, so that their filtered planes stay in the processor's cache.
    starts = range(0, len(output), 2)
    return torch.cat([_ssim(output[i : i + 2], target[i : i + 2]) for i in starts])


def _ssim(x: Tensor, y: Tensor) -> Tensor:
    import torch

    # Values are centred: E[x²] - E[x]² would lose many digits in float32 around a mean of 127.
    centre = RANGE / 2
    x, y = (z.contiguous(memory_format=torch.channels_last) - centre for z in (x, y))
    mean_x, mean_y, squares, product = _blur(torch.cat([x, y, x * x + y * y, x * y], 1)).chunk(4, 1)
    mean_squares, mean_product = mean_x**2 + mean_y**2, mean_x * mean_y
    variances, covariance = squares - mean_squares, product - mean_product
    # Variances do not change with the centre, but the luminance term needs the means themselves.
    shift = centre * (mean_x + mean_y) + centre**2
    c1, c2 = (K1 * RANGE) ** 2, (K2 * RANGE) ** 2
    luminance = (2 * (mean_product + shift) + c1) / (mean_squares + 2 * shift + c1)
    structure = (2 * covariance + c2) / (variances + c2)
    return (luminance * structure).double().mean((1, 2, 3))


def _blur(planes: Tensor) -> Tensor:
    """Return the Gaussian means [B,C,H-10,W-10] of all windows inside [B,C,H,W].

    The filter is separable, so it runs along the rows and then along the columns.
    """
    import torch
    import torch.nn.functional as F

    offsets = torch.arange(WINDOW, device=planes.device) - WINDOW // 2
    kernel = torch.exp(-(offsets.double() ** 2) / (2 * SIGMA**2))
    weight = (kernel / kernel.sum()).float().expand(planes.shape[1], 1, 1, WINDOW).contiguous()
    rows = F.conv2d(planes, weight, groups=planes.shape[1])
    return F.conv2d(rows, weight.mT.contiguous(), groups=planes.shape[1])
