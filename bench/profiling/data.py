"""The times of drawing masks and training batches."""

from __future__ import annotations

from functools import partial

from bench.config import override
from bench.data.batches import Batches
from bench.data.masks.family import REGISTRY, GeneratedMasks
from bench.presets import preset
from bench.profiling import samples
from bench.profiling.timing import Row, median


def data(repeats: int) -> list[Row]:
    """Time the drawing of 32 masks of each family, and of four training batches of 8."""
    rows = []
    for family in REGISTRY.all():
        source = GeneratedMasks((family,))
        seconds = median(partial(_draw_masks, source), repeats)
        rows.append(Row(f"{family} masks, 256 px", seconds, 32))
    for name in ("quick", "paper"):
        config = override(preset(name), {"batch_size": 8})
        batches = samples.sample_batches(config)
        seconds = median(partial(_draw_batches, batches), repeats)
        rows.append(Row(f"training batches, {config.data.size} px", seconds, 32))
    return rows


def _draw_masks(source: GeneratedMasks) -> None:
    for i in range(32):
        source.training(256, (0.1, 0.5), 0, i)


def _draw_batches(batches: Batches) -> None:
    for step in range(4):
        batches[step]
