"""The released code's metrics, against loops over windows and pools of pixels."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from bench.config import Evaluation
from bench.evaluation.evaluator import load, measure
from bench.evaluation.metrics.legacy import legacy_psnr_mse, legacy_ssim
from bench.evaluation.metrics.metric import find
from bench.evaluation.metrics.psnr import psnr
from bench.evaluation.metrics.ssim import ssim


def pictures(count: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Outputs and targets [B,3,H,W] of whole numbers 0..255, the error growing along the batch."""
    stream = np.random.default_rng(31)
    noise = stream.uniform(0, 255, (count, 3, height, width))
    smooth = gaussian_filter(noise, (0, 0, 4, 4))
    target = (127 + 8 * (smooth - smooth.mean())).clip(0, 255).round()
    level = 2.0 * 3 ** np.arange(count).reshape(-1, 1, 1, 1)
    output = (target + stream.normal(0, 1, target.shape) * level).clip(0, 255).round()
    return torch.from_numpy(output).float(), torch.from_numpy(target).float()


def loop_over_windows(x: np.ndarray, y: np.ndarray) -> float:
    """SSIM of two planes [H,W] in 0..255, constants for range 1, windows around all pixels."""
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    x, y = np.pad(x, 5), np.pad(y, 5)
    values = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            a, b = (z[top : top + 11, left : left + 11] for z in (x, y))
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            variances = (window * (a - mean_a) ** 2).sum() + (window * (b - mean_b) ** 2).sum()
            covariance = (window * (a - mean_a) * (b - mean_b)).sum()
            luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
            values.append(luminance * (2 * covariance + 9e-4) / (variances + 9e-4))
    return float(np.mean(values))


@pytest.mark.parametrize(("height", "width"), [(20, 27), (8, 33)])
def test_legacy_ssim_equals_a_loop_over_zero_padded_windows(height: int, width: int) -> None:
    output, target = pictures(3, height, width)
    target[0, 1] = 200  # a flat plane, where float32 would fail
    found = legacy_ssim(output, target)
    assert found.dtype == torch.float64
    for k in range(3):
        planes = zip(output[k].double().numpy(), target[k].double().numpy(), strict=True)
        assert found[k].item() == pytest.approx(
            np.mean([loop_over_windows(x, y) for x, y in planes]), abs=1e-9
        )


def test_legacy_ssim_is_below_ssim_and_one_for_equal_images() -> None:
    output, target = pictures(3, 48, 48)
    target[:] = 200  # smooth areas, whose noise larger constants would hide
    output = (target + output % 3).clip(0, 255)
    assert (legacy_ssim(output, target) < ssim(output, target) - 0.1).all()
    assert legacy_ssim(target, target).tolist() == pytest.approx([1, 1, 1], abs=1e-12)


def test_pooled_psnr_comes_from_the_records() -> None:
    output, target = pictures(4, 40, 48)
    output[3] = target[3]  # without an error, and yet in the pool
    known = torch.ones(4, 1, 40, 48)
    known[..., 10:30, 10:40] = 0
    metrics = [load(find(n), Evaluation(), known.device) for n in ("psnr", "legacy_psnr_mse")]
    measured = measure(metrics, output / 255, target / 255, known)
    records = pd.DataFrame(
        [
            {"pair": pair, "metric": ready.metric.name, "region": region, "value": value}
            for ready, region, values in measured
            for pair, value in enumerate(values)
        ]
    )
    composite = torch.where(known > 0, target, output) / 255
    for batch in ([0, 1], [2, 3], [0, 1, 2, 3]):
        rows = records[records["pair"].isin(batch) & (records["metric"] == "legacy_psnr_mse")]
        assert set(rows["region"]) == {"composite"}
        pooled = 20 * math.log10(255) - 10 * math.log10(rows["value"].mean())
        error = (composite[batch] - target[batch] / 255).double().square().mean().item()
        assert pooled == pytest.approx(10 * math.log10(1 / error), abs=1e-5)


def test_pooling_is_ruled_by_the_worst_image() -> None:
    output, target = pictures(4, 40, 48)
    errors, own = legacy_psnr_mse(output, target), psnr(output, target)
    pooled = 20 * math.log10(255) - 10 * math.log10(errors.mean())
    assert own.min() < pooled < own.mean() - 1
    alone = 20 * math.log10(255) - 10 * errors.log10()
    assert torch.allclose(alone, own, rtol=0, atol=1e-9)
