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
    # Planes of 8 images at a time: the filter is fast for many, and the cache holds no more.
    planes = (x.flatten(0, 1).split(8 * output.shape[1]) for x in (output, target))
    means = torch.cat([_ssim(x, y) for x, y in zip(*planes, strict=True)])
    return means.reshape(output.shape[:2]).mean(1)


def _ssim(x: Tensor, y: Tensor) -> Tensor:
    """Return the structural similarity [P] of pairs of planes [P,H,W], float64."""
    import torch

    # Values are centred: E[x²] - E[x]² would lose many digits in float32 around a mean of 127.
    centre = RANGE / 2
    # The planes are channels, which lie next to each other in memory: no loop below has a gap. In
    # place wherever it can be: the passes over memory are what takes the time.
    both = torch.empty((4, *x.shape), device=x.device, memory_format=torch.channels_last)
    x, y = both[0].copy_(x).sub_(centre), both[1].copy_(y).sub_(centre)
    torch.mul(x, x, out=both[2]).addcmul_(y, y)
    torch.mul(x, y, out=both[3])
    mean_x, mean_y, squares, product = _blur(both).split(1)
    covariance = product.sub_(mean_x * mean_y)
    variances = squares.sub_((mean_x * mean_x).addcmul_(mean_y, mean_y))
    # Variances do not change with the centre, but the luminance needs the means themselves.
    mean_x, mean_y = mean_x.add_(centre), mean_y.add_(centre)
    c1, c2 = (K1 * RANGE) ** 2, (K2 * RANGE) ** 2
    # The two factors 2 of the numerator stand before its mean.
    numerator = (mean_x * mean_y).add_(c1 / 2).mul_(covariance.add_(c2 / 2))
    denominator = (mean_x * mean_x).addcmul_(mean_y, mean_y).add_(c1).mul_(variances.add_(c2))
    quotient: Tensor = numerator.div_(denominator)[0]
    return 4 * quotient.mean((1, 2), dtype=torch.float64)


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
