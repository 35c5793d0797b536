"""The times of the metrics."""

from __future__ import annotations

import numpy as np
import torch

from bench.config import Evaluation
from bench.core import device
from bench.evaluation.evaluator import load, measure
from bench.evaluation.metrics.l1 import l1_percent
from bench.evaluation.metrics.metric import all_metrics
from bench.evaluation.metrics.psnr import psnr
from bench.evaluation.metrics.ssim import ssim
from bench.profiling import samples
from bench.profiling.timing import Row, median


def evaluation(repeats: int) -> list[Row]:
    """Time PSNR, SSIM and L1 of 8 images of 256 pixels against a loop over scikit-image."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    target = samples.photographs(8, 256)
    output = (target.float() + 20 * torch.randn(target.shape)).round().clamp(0, 255)
    pairs = [
        tuple(x.permute(1, 2, 0).numpy().astype(np.uint8) for x in pair)
        for pair in zip(output, target, strict=True)
    ]

    def loop() -> None:
        for x, y in pairs:
            peak_signal_noise_ratio(y, x)
            structural_similarity(
                x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=2
            )
            np.abs(x.astype(float) - y).mean()

    where = device.choose("auto")
    a, b = output.to(where), target.float().to(where)
    plain = median(loop, repeats)
    ours = median(lambda: [f(a, b) for f in (psnr, ssim, l1_percent)], repeats)
    hole = torch.ones(8, 1, 256, 256, device=where)
    hole[..., 64:192, 64:192] = 0
    settings = Evaluation(lpips="off")
    chosen = [load(metric, settings, where) for metric in all_metrics() if metric.wanted(settings)]
    everything = median(lambda: measure(chosen, a / 255, b / 255, hole), repeats)
    return [
        Row("scikit-image loop", plain, 8, None),
        Row("PSNR + SSIM + L1", ours, 8, plain),
        Row("all metrics and regions", everything, 8, None),
    ]
