"""The times of filling images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.evaluation.fill import fill
from bench.networks.compiled import Compiled
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


def compiled(repeats: int, clone: Path | None = None) -> list[Row]:
    """Time the reference method with compiled weights, as `inference` does without.

    The time of compiling, a minute or so for each row, is not part of it.
    """
    precision, rows = samples.precisions()[-1], []
    for batch in (1, 8):
        image, mask = samples.inputs(batch, 256)
        theirs = released.filling_seconds(clone, repeats, batch) if clone else None
        network = samples.network(preset("paper"))
        seconds = _plain_seconds(network, image, mask, repeats)
        inputs = [x.to(DTYPES[precision]) for x in (image, mask)]
        cast = to_device(network, image.device).to(DTYPES[precision])
        fillers = {
            f"compiled, batch {batch}, {precision}": cast,
            f"compiled, batch {batch}, {precision}, one mask's maps kept": _Kept(cast, mask[:1]),
        }
        for what, filler in fillers.items():
            work = partial(fill, Compiled(filler, batch), *inputs)
            rows.append(
                Row(what, median(work, repeats), batch, seconds, theirs,
                    cost.flops(partial(fill, filler, *inputs)), precision)
            )  # fmt: skip
    return rows


def _plain_seconds(network: nn.Module, image: Tensor, mask: Tensor, repeats: int) -> float:
    assert isinstance(network, ReusesMaps)
    image = image.contiguous()
    with torch.inference_mode():
        return median(lambda: plain.output(network, image, mask), repeats)


class _Kept(nn.Module):
    """A network with the maps of one mask, which it does not compute again."""

    def __init__(self, network: nn.Module, mask: Tensor) -> None:
        super().__init__()
        assert isinstance(network, ReusesMaps)
        self.network = network
        with torch.no_grad():
            self.maps = network.attention_maps(mask.to(next(network.parameters()).dtype))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        output: Tensor = self.network.from_maps(image, mask, self.maps)
        return output


def _batch(batch: int, repeats: int) -> list[Row]:
    image, mask = samples.inputs(batch, 256)
    network = samples.network(preset("paper"))
    seconds = _plain_seconds(network, image, mask, repeats)
    with torch.inference_mode():
        rows = [Row(f"plain, batch {batch}, fp32", seconds, batch)]
        to_device(network, image.device)
        for precision in samples.precisions():
            dtype = DTYPES[precision]
            cast, pictures, masks = network.to(dtype), image.to(dtype), mask.to(dtype)
            works: dict[str, Callable[[], object]] = {
                f"batch {batch}, {precision}": partial(cast, pictures, masks),
                f"batch {batch}, {precision}, one mask's maps kept": partial(
                    _Kept(cast, masks[:1]), pictures, masks
                ),
            }
            rows += [
                Row(what, median(work, repeats), batch, seconds, None, cost.flops(work), precision)
                for what, work in works.items()
            ]
    return rows
