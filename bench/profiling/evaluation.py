"""The times of the metrics, and of an evaluation around them."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from bench.config import Evaluation, override
from bench.core import device
from bench.core.run_folder import PairPictures
from bench.data.inputs import Inputs
from bench.evaluation.album import Album, PictureWriter, save_inputs
from bench.evaluation.evaluator import Evaluator, load, measure
from bench.evaluation.metrics.l1 import l1_percent
from bench.evaluation.metrics.metric import all_metrics
from bench.evaluation.metrics.psnr import psnr
from bench.evaluation.metrics.ssim import ssim
from bench.presets import preset
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
        _around(everything / 8),
    ]


def _around(metrics: float) -> Row:
    """Time an evaluation with the pictures of all pairs, and say what share is outside its work.

    Its work is the network and the `metrics`, seconds per image.
    """
    config = override(preset("paper"), {"images": "sample", "masks": "shapes", "pairs": 8})
    config = override(config, {"lpips": "off", "resize": 256})
    network, seconds = samples.network(config), 0.0
    with tempfile.TemporaryDirectory() as folder:
        pairs = Inputs(config, Path(folder)).test
        evaluator = Evaluator(pairs, config.evaluation, device.choose("auto"))
        start = time.perf_counter()
        pictures = PairPictures(Path(folder) / "pictures", Path(folder) / "pairs" / "x")
        everything = frozenset(range(len(pairs)))
        save_inputs(pairs, everything, pictures)
        with PictureWriter() as writer:
            found = evaluator.records(network, "speed", {}, Album(pictures, everything, writer))
        found.to_csv(Path(folder) / "records.csv")
        seconds = time.perf_counter() - start
    inside = found.drop_duplicates("pair")["seconds"].sum() + len(pairs) * metrics
    what = f"evaluation, all pictures; {1 - inside / seconds:.0%} outside network and metrics"
    return Row(what, seconds, len(pairs))
