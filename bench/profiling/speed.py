"""How fast the suite is on this machine, and against what: `python -m bench speed`.

Every figure is a median; ratios are against a plain way of doing the same, timed in the same call.
Networks have random weights here: time does not depend on them.
"""

from __future__ import annotations

import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench import registry
from bench.config import Config, override
from bench.core import device
from bench.data import inputs as assemble
from bench.data.batches import Batches
from bench.data.masks import generated as masks
from bench.data.masks import sources as mask_sources
from bench.evaluation.metrics import pixelwise as metrics
from bench.networks.layers import composite, initialise, place
from bench.networks.vgg_features import POOL3, PoolFeatures
from bench.presets import preset
from bench.training import losses
from bench.training.common import CommonLearner
from bench.training.critic import TwoColumnCritic
from bench.training.trainer import make_accelerator

Row = tuple[str, float, int, float | None]
"""What, median seconds, images in them, and the seconds of the plain way or None."""


def report(sections: Sequence[str], repeats: int) -> str:
    """The sections' tables, in Markdown."""
    from bench.runs.run import environment
    from reports.markdown import table

    where = device.choose("auto")
    facts = environment()
    units = "with" if device.has_bf16_units(where) else "without"
    versions = f"{facts['device']}, {units} bf16 units, torch {facts['packages']['torch']}"
    parts = [f"{versions}; medians of {repeats}"]
    for name in sections:
        rows = [
            [
                what,
                f"{1000 * s:.1f} ms",
                f"{n / s:.1f}" if n else "-",
                f"{plain / s:.2f}" if plain else "-",
            ]
            for what, s, n, plain in SECTIONS[name](repeats)
        ]
        parts.append(table([name, "time", "images/s", "x plain"], rows))
    return "\n\n".join(parts)


def median(work: Callable[[], object], repeats: int) -> float:
    """Median seconds of `work` after one warm-up, the device's queue waited for."""

    def once() -> float:
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter() - start

    once()
    return statistics.median(once() for _ in range(repeats))


def training(repeats: int) -> list[Row]:
    """A step of `full` at 256 pixels, batch 4, and of the quick preset's variants."""
    config = override(preset("paper"), {"batch_size": 4, "features": "random"})
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        # In a process of its own: the allocator's settings cannot be taken back.
        plain = pool.apply(_plain_step_seconds, (repeats,))
    rows: list[Row] = [("plain step, full, 256 px, batch 4, fp32", plain, 4, None)]
    for precision in _precisions():
        chosen = override(config, {"precision": precision})
        rows += _step_rows(f"step, full, 256 px, {precision}", chosen, repeats, plain)
    for precision in _precisions():
        chosen = override(preset("quick"), {"precision": precision})
        rows += _step_rows(f"step, full, quick preset, {precision}", chosen, repeats, None)
    return rows


def inference(repeats: int) -> list[Row]:
    """`full` at 256 pixels: batch 1 and 8, and with the attention maps of a repeated mask kept."""
    return [row for batch in (1, 8) for row in _inference(batch, repeats)]


def _inference(batch: int, repeats: int) -> list[Row]:
    image, mask = _inputs(batch, 256)
    network: Any = _network(preset("paper"))
    with torch.inference_mode():
        plain = median(lambda: _plain_output(network, image, mask), repeats)
        rows: list[Row] = [(f"plain, batch {batch}, fp32", plain, batch, None)]
        place(network, image.device)
        for precision in _precisions():
            kind = torch.bfloat16 if precision == "bf16" else torch.float32
            for what, seconds in _fill_seconds(
                network.to(kind), image.to(kind), mask.to(kind), repeats
            ):
                rows.append((f"batch {batch}, {precision}{what}", seconds, batch, plain))
    return rows


def _fill_seconds(
    network: Any, image: Tensor, mask: Tensor, repeats: int
) -> list[tuple[str, float]]:
    """With the maps of every mask computed, and with those of one mask kept for all."""
    image = _channels_last(image)
    maps = network.attention_maps(mask[:1])
    return [
        ("", median(lambda: network(image, mask), repeats)),
        (", one mask's maps kept", median(lambda: network.fill(image, mask, maps), repeats)),
    ]


def evaluation(repeats: int) -> list[Row]:
    """PSNR, SSIM and L1 of 8 images of 256 pixels against a loop over scikit-image."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    target = torch.from_numpy(_photographs(8, 256))
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
    ours = median(
        lambda: [f(a, b) for f in (metrics.psnr, metrics.ssim, metrics.l1_percent)], repeats
    )
    hole = torch.ones(8, 1, 256, 256, device=where)
    hole[..., 64:192, 64:192] = 0
    everything = median(lambda: metrics.measure(a / 255, b / 255, hole), repeats)
    return [
        ("scikit-image loop", plain, 8, None),
        ("PSNR + SSIM + L1", ours, 8, plain),
        ("all metrics and regions", everything, 8, None),
    ]


def data(repeats: int) -> list[Row]:
    """Masks and whole training batches."""
    rows: list[Row] = []
    for family in masks.FAMILIES:
        work = partial(_draw_masks, mask_sources.GeneratedMasks((family,)))
        rows.append((f"{family} masks, 256 px", median(work, repeats), 32, None))
    for name in ("quick", "paper"):
        config = override(preset(name), {"batch_size": 8})
        work = partial(_draw_batches, _sample_batches(config))
        rows.append((f"training batches, {config.data.size} px", median(work, repeats), 32, None))
    return rows


def start(repeats: int) -> list[Row]:
    """How soon `--help` and `list` answer, against `import torch`."""
    plain = median(partial(_start, ["-c", "import torch"]), repeats)
    rows: list[Row] = [("import torch", plain, 0, None)]
    for word in ("--help", "list"):
        rows.append(
            (f"bench {word}", median(partial(_start, ["-m", "bench", word]), repeats), 0, plain)
        )
    return rows


def reports(repeats: int) -> list[Row]:
    """All tables and plots of 300,000 records, once: files are read and written."""
    from bench.profiling.report_speed import RECORDS, measure

    seconds, peak = measure()
    memory = "" if peak is None else f", {peak:.0f} MiB at most"
    return [(f"report of {RECORDS:,} records{memory}", seconds, 0, None)]


SECTIONS: dict[str, Callable[[int], list[Row]]] = {
    "training": training,
    "inference": inference,
    "evaluation": evaluation,
    "data": data,
    "start": start,
    "reports": reports,
}


def _precisions() -> list[str]:
    """fp32, and bf16 where the device has units for it."""
    return ["fp32", *(["bf16"] if device.has_bf16_units(device.choose("auto")) else [])]


def _inputs(batch: int, size: int) -> tuple[Tensor, Tensor]:
    source = mask_sources.GeneratedMasks(("shapes",))
    drawn = np.stack([source.training(size, (0.2, 0.4), 0, i) for i in range(batch)])
    where = device.choose("auto")
    image = torch.from_numpy(_photographs(batch, size)).float() / 255
    return image.to(where), torch.from_numpy(drawn)[:, None].float().to(where)


def _photographs(count: int, size: int) -> np.ndarray:
    config = override(preset("quick"), {"size": size, "resize": size, "batch_size": count})
    return _sample_batches(config)[0][0].numpy()


def _draw_masks(source: mask_sources.GeneratedMasks) -> None:
    for i in range(32):
        source.training(256, (0.1, 0.5), 0, i)


def _draw_batches(batches: Batches) -> None:
    for step in range(4):
        batches[step]


def _draw_batch(config: Config) -> None:
    _sample_batches(config)[0]


@cache
def _sample_batches(config: Config) -> Batches:
    """Batches of the sample photographs; their pixels stay mapped when the folder is gone."""
    config = override(config, {"images": "sample", "masks": "shapes,strokes"})
    with tempfile.TemporaryDirectory() as folder:
        return assemble.training_batches(config, Path(folder))


def _start(words: list[str]) -> None:
    subprocess.run([sys.executable, *words], check=True, capture_output=True)


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _network(config: Config) -> nn.Module:
    network = registry.find("full").build(config.model).to(device.choose("auto"))
    initialise(network, 0)
    return network.eval()


def _vgg16() -> PoolFeatures:
    from torchvision.models import vgg16

    return PoolFeatures(vgg16(weights=None).features[:POOL3])


def _step_rows(what: str, config: Config, repeats: int, plain: float | None) -> list[Row]:
    """A whole step, and the share of each of its parts."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)  # one process, several precisions
    accelerator = make_accelerator(config)
    learner = CommonLearner(registry.find("full").build(config.model), config, accelerator, 1)
    if config.data.size == 256:
        learner.features = place(_vgg16(), accelerator.device)
    batch = config.training.batch_size
    image, mask = _inputs(batch, config.data.size)
    image = _channels_last(image)
    output = learner.generator(image, mask).detach()
    critic = learner.critic
    assert critic is not None

    def generator() -> None:
        learner._step_generator(image, learner.generator(image, mask), mask)

    whole = median(lambda: learner.step(image, mask, 0), repeats)
    rows: list[Row] = [(f"{what}, batch {batch}", whole, batch, plain)]
    parts: dict[str, Callable[[], object]] = {
        "critic": lambda: learner._step_critic(critic, image, output, mask, 0),
        "generator": generator,
        "of that, perceptual features forward": lambda: learner._feature_terms(image, output, mask),
        "drawing the batch, beside the step": partial(_draw_batch, config),
    }
    for name, work in parts.items():
        seconds = median(work, repeats)
        rows.append((f"- {name}: {seconds / whole:.0%}", seconds, batch, None))
    return rows


def _plain_step_seconds(repeats: int) -> float:
    """Median seconds of a training step as the released code does it, in fp32."""
    config = preset("paper")
    where = device.choose("auto")
    generator: Any = _network(config).train()
    critic, features = TwoColumnCritic(256).to(where), _vgg16().to(where)
    initialise(critic, 1)
    optimizers = [torch.optim.Adam(n.parameters(), 1e-4) for n in (generator, critic)]
    image, mask = _inputs(4, 256)
    return median(
        lambda: _plain_step(generator, critic, features, optimizers, image, mask), repeats
    )


def _plain_step(
    generator: Any,
    critic: nn.Module,
    features: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    image: Tensor,
    mask: Tensor,
) -> None:
    """Graph kept through the critic's fakes, three VGG passes, three equal mask channels."""
    output = _plain_output(generator, image, mask)
    mix = torch.rand(len(image), 1, 1, 1, device=image.device)
    penalty = losses.gradient_penalty(critic, image, output, mask, mix)
    loss = losses.critic_loss(critic(image, mask), critic(output, mask)) + 10 * penalty
    optimizers[1].zero_grad()
    loss.backward(retain_graph=True)
    optimizers[1].step()

    filled = composite(output, image, mask)
    found, targets = [features(x) for x in (output, filled)], features(image)
    total = losses.pixel_loss(output, image, mask, 6.0)
    total = total + 0.1 * losses.adversarial_loss(critic(output, mask))
    for f in found:
        total = total + 0.01 * losses.perceptual_loss(f, targets, "l1")
        total = total + 120 * losses.style_loss(f, targets)
    optimizers[0].zero_grad()
    total.backward()
    optimizers[0].step()


def _plain_output(generator: Any, image: Tensor, mask: Tensor) -> Tensor:
    output: Tensor = generator.fill(
        image, mask, generator.attention_maps(mask.expand(-1, 3, -1, -1))
    )
    return output
