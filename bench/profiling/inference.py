"""The times of filling images."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from bench.networks.interfaces import ReusesMaps
from bench.networks.layers import to_device
from bench.presets import preset
from bench.profiling import plain, samples
from bench.profiling.timing import Row, median


def inference(repeats: int) -> list[Row]:
    """Time the reference method at 256 pixels, with batches of 1 and 8.

    Each is also timed with the maps of one mask kept from an earlier pass.
    """
    return [row for batch in (1, 8) for row in _batch(batch, repeats)]


def _batch(batch: int, repeats: int) -> list[Row]:
    image, mask = samples.inputs(batch, 256)
    network = samples.network(preset("paper"))
    assert isinstance(network, ReusesMaps)
    with torch.inference_mode():
        seconds = median(lambda: plain.output(network, image, mask), repeats)
        rows = [Row(f"plain, batch {batch}, fp32", seconds, batch)]
        to_device(network, image.device)
        for precision in samples.precisions():
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            cast, pictures, masks = network.to(dtype), image.to(dtype), mask.to(dtype)
            what = f"batch {batch}, {precision}"
            whole = median(partial(cast, pictures, masks), repeats)
            rows.append(Row(what, whole, batch, seconds))
            kept = _maps_kept(cast, pictures, masks, repeats)
            rows.append(Row(f"{what}, one mask's maps kept", kept, batch, seconds))
    return rows


def _maps_kept(network: nn.Module, image: Tensor, mask: Tensor, repeats: int) -> float:
    assert isinstance(network, ReusesMaps)
    image = samples.channels_last(image)
    maps = network.attention_maps(mask[:1])
    return median(lambda: network.from_maps(image, mask, maps), repeats)
