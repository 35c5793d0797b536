"""PSNR, SSIM and mean L1, per image and in batches, on whatever device holds the tensors.

Images are [B,3,H,W] in 0..255 after rounding to 8 bits (`quantise`), float32; masks [B,1,H,W],
1 = known. Every function returns one value per image, [B], float64.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.networks.layers import composite

VERSION = 1
"""Stored with every record; raised when a definition below changes."""
RANGE = 255.0
WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03


def quantise(image: Tensor) -> Tensor:
    """[0,1] to whole numbers 0..255, as a picture file would hold them."""
    return (image.float().clamp(0, 1) * RANGE).round()


def mean_squared_error(output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean of squared differences over pixels (with `weight` [B,1,H,W]: those it selects)."""
    return _mean((output - target).square(), weight)


def psnr(output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio in dB of each image; inf where it is perfect."""
    return 20 * math.log10(RANGE) - 10 * mean_squared_error(output, target, weight).log10()


def l1_percent(output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """100 x mean absolute error of values in [0,1], over pixels and channels."""
    return _mean((output - target).abs(), weight) * (100 / RANGE)


def ssim(output: Tensor, target: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004), mean over channels and positions.

    11x11 Gaussian window, sigma 1.5, population covariance, range 255, windows inside the image
    only: `skimage.metrics.structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, channel_axis=..., data_range=255)`.
    """
    if min(output.shape[-2:]) < WINDOW:
        raise ValueError(f"SSIM needs sides of at least {WINDOW} pixels")
    # Two images at a time: their filtered planes stay in the processor's cache.
    starts = range(0, len(output), 2)
    return torch.cat([_ssim(output[i : i + 2], target[i : i + 2]) for i in starts])


def measure(raw: Tensor, image: Tensor, mask: Tensor) -> dict[tuple[str, str], Tensor]:
    """All metrics by (metric, region), [B] each, from a raw output and image in [0,1].

    Regions: `composite` keeps the known pixels, `raw` is the output as it is, `hole` is the
    composite's hole pixels alone.
    """
    output, target, hole = quantise(raw), quantise(image), 1 - mask.float()
    filled = composite(output, target, mask)
    values = {("psnr", "hole"): psnr(filled, target, hole)}
    values["l1_percent", "hole"] = l1_percent(filled, target, hole)
    for region, picture in (("composite", filled), ("raw", output)):
        values["psnr", region] = psnr(picture, target)
        values["ssim", region] = ssim(picture, target)
        values["l1_percent", region] = l1_percent(picture, target)
    return values


def _mean(error: Tensor, weight: Tensor | None) -> Tensor:
    # Row sums of whole numbers below 2^24 are exact in float32; the rest is summed in float64.
    if weight is None:
        return error.sum(-1).double().sum((1, 2)) / error[0].numel()
    total = (error * weight).sum(-1).double().sum((1, 2))
    return total / (error.shape[1] * weight.sum((1, 2, 3)).double())


def _ssim(x: Tensor, y: Tensor) -> Tensor:
    # Centred values: E[x²] - E[x]² would cancel badly in float32 around a mean of 127.
    centre = RANGE / 2
    x, y = (z.contiguous(memory_format=torch.channels_last) - centre for z in (x, y))
    mean_x, mean_y, squares, product = _blur(torch.cat([x, y, x * x + y * y, x * y], 1)).chunk(4, 1)
    mean_squares, mean_product = mean_x**2 + mean_y**2, mean_x * mean_y
    variances, covariance = squares - mean_squares, product - mean_product
    # The means were shifted by `centre`; only the luminance term looks at them as they are.
    shift = centre * (mean_x + mean_y) + centre**2
    c1, c2 = (K1 * RANGE) ** 2, (K2 * RANGE) ** 2
    luminance = (2 * (mean_product + shift) + c1) / (mean_squares + 2 * shift + c1)
    structure = (2 * covariance + c2) / (variances + c2)
    return (luminance * structure).double().mean((1, 2, 3))


def _blur(planes: Tensor) -> Tensor:
    """Gaussian means [B,C,H-10,W-10] at all windows inside [B,C,H,W], by a separable filter."""
    offsets = torch.arange(WINDOW, device=planes.device) - WINDOW // 2
    kernel = torch.exp(-(offsets.double() ** 2) / (2 * SIGMA**2))
    weight = (kernel / kernel.sum()).float().expand(planes.shape[1], 1, 1, WINDOW).contiguous()
    rows = F.conv2d(planes, weight, groups=planes.shape[1])
    return F.conv2d(rows, weight.mT.contiguous(), groups=planes.shape[1])
