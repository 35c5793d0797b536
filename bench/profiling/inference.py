"""The times of filling images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.networks.interfaces import ReusesMaps
from bench.networks.layers import to_device
from bench.presets import preset
from bench.profiling import cost, plain, released, samples
from bench.profiling.rate import DTYPES
from bench.profiling.timing import Row, median


def inference(repeats: int, clone: Path | None = None) -> list[Row]:
    """Time the reference method at 256 pixels, with batches of 1 and 8.

    Each is also timed with the maps of one mask kept from an earlier pass, and next to a `clone` of
    the released code.
    """
    rows = []
    for batch in (1, 8):
        ours, theirs = _batch(batch, repeats), None
        if clone:
            theirs = released.filling_seconds(clone, repeats, batch)
            rows.append(Row(f"released, batch {batch}, fp32", theirs, batch))
        rows += [row._replace(released=theirs if row.plain else None) for row in ours]
    return rows


def _batch(batch: int, repeats: int) -> list[Row]:
    image, mask = samples.inputs(batch, 256)
    network = samples.network(preset("paper"))
    assert isinstance(network, ReusesMaps)
    with torch.inference_mode():
        seconds = median(lambda: plain.output(network, image, mask), repeats)
        rows = [Row(f"plain, batch {batch}, fp32", seconds, batch)]
        to_device(network, image.device)
        for precision in samples.precisions():
            dtype = DTYPES[precision]
            cast, pictures, masks = network.to(dtype), image.to(dtype), mask.to(dtype)
            works: dict[str, Callable[[], object]] = {
                f"batch {batch}, {precision}": partial(cast, pictures, masks),
                f"batch {batch}, {precision}, one mask's maps kept": _with_maps(
                    cast, pictures, masks
                ),
            }
            rows += [
                Row(what, median(work, repeats), batch, seconds, None, cost.flops(work), precision)
                for what, work in works.items()
            ]
    return rows


def _with_maps(network: nn.Module, image: Tensor, mask: Tensor) -> Callable[[], Tensor]:
    """Return the filling of images with the first mask, whose maps are computed once."""
    assert isinstance(network, ReusesMaps)
    image = samples.channels_last(image)
    return partial(network.from_maps, image, mask, network.attention_maps(mask[:1]))
