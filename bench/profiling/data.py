"""The times of drawing masks and training batches, and what worker processes deliver."""

from __future__ import annotations

import resource
import statistics
import time
import warnings
from functools import partial

from bench.config import override
from bench.data.batches import Batches, load_batches
from bench.data.masks.family import REGISTRY, GeneratedMasks
from bench.presets import preset
from bench.profiling import samples
from bench.profiling.timing import Row, median

WANTED = 1500
"""Images a second at 256 px that three workers should deliver, so that no training waits."""
WORKERS = (1, 2, 3)
DELIVERED = 80
"""Batches of a timed delivery: so many that the start of the workers hardly counts."""


def data(repeats: int) -> list[Row]:
    """Time the drawing of 32 masks of each family, of training batches of 8, and their delivery."""
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
    return rows + [delivery(batches, workers, repeats) for workers in WORKERS]


def delivery(batches: Batches, workers: int, repeats: int) -> Row:
    """Time what a training's worker processes deliver while nothing else is done with it.

    The row's name states the rate as a share of `WANTED`, and the processor time of an image in all
    processes, which counts where workers have to share processors.
    """
    times = [_deliver(batches, workers) for _ in range(repeats)]
    seconds, processor = (statistics.median(column) for column in zip(*times, strict=True))
    images = DELIVERED * batches.batch_size
    share, each = images / seconds / WANTED, 1000 * processor / images
    name = f"{workers} workers, {batches.size} px: {share:.0%} of {WANTED:,}/s, {each:.2f} ms CPU"
    return Row(name.replace("1 workers", "1 worker"), seconds, images)


def _deliver(batches: Batches, workers: int) -> tuple[float, float]:
    """Return the seconds between the first batch and the last, and the processor time of all."""
    before = _processor_seconds()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of more workers than processors
        delivered = iter(load_batches(batches, range(DELIVERED + 1), workers))
    next(delivered)  # The workers have started.
    start = time.perf_counter()
    for _ in delivered:
        pass
    seconds = time.perf_counter() - start
    del delivered  # The time of a process counts when it has ended.
    return seconds, _processor_seconds() - before


def _processor_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _draw_masks(source: GeneratedMasks) -> None:
    for i in range(32):
        source.training(256, (0.1, 0.5), 0, i)


def _draw_batches(batches: Batches) -> None:
    for step in range(4):
        batches[step]
