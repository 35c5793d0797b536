"""The evaluator, which runs a network over the test pairs and records its metrics."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from bench.config import Evaluation
from bench.core.device import full_float32
from bench.core.errors import MissingWeightsError
from bench.data.pairs import FrozenPairs
from bench.evaluation.album import Album
from bench.evaluation.fill import blank, fill
from bench.evaluation.given import Given
from bench.evaluation.metrics.metric import Metric, MetricFunction, Region, all_metrics
from bench.evaluation.metrics.pixelwise import RANGE, quantise
from bench.networks.compiled import Compiled
from bench.networks.holes import composite
from bench.networks.layers import to_device

if TYPE_CHECKING:  # so that no record depends on how distances are measured
    from bench.evaluation.distances.measure import Filled


class Measure(NamedTuple):
    """A metric that the settings ask for, with its function."""

    metric: Metric
    function: MetricFunction | None
    """The function that measures; None where its weights are not available."""
    note: str
    """The reason why it cannot be measured, or nothing."""


class Evaluator:
    """The measurement of networks on the same pairs, with the same metrics.

    Networks run in float32, so that numbers do not depend on a device's bf16 units.
    """

    def __init__(self, pairs: FrozenPairs, settings: Evaluation, device: torch.device) -> None:
        self.pairs, self.settings, self.device = pairs, settings, device
        wanted = [metric for metric in all_metrics() if metric.wanted(settings)]
        self.measures = [load(metric, settings, device) for metric in wanted]

    def records(
        self,
        network: nn.Module,
        name: str,
        identity: Mapping[str, str | int],
        album: Album | None = None,
        at_once: int | None = None,
        filled: Filled | None = None,
    ) -> pd.DataFrame:
        """Measure a network, and return one row per pair, metric and region.

        `name` is shown with the progress. `identity` fills the columns that are the same for all
        rows (family, method, seed, fingerprint). An `album` receives the pictures, and `filled` the
        features of all outputs. The network gets `at_once` pairs in one pass, or as many as the
        settings say.
        """
        rows: list[dict[str, Any]] = []
        for indices, image, mask, raw, seconds in self._filled(
            network, name, self._batches(at_once)
        ):
            rows += self._rows(indices, image, mask, raw, seconds)
            if album is not None:
                self._picture(album, network, indices, image, mask, raw)
            if filled is not None:
                filled.add(raw, image, mask)
        return pd.DataFrame(rows).assign(manifest=self.pairs.manifest.hash, **identity)

    def draw(self, network: nn.Module, name: str, album: Album, at_once: int | None = None) -> None:
        """Fill an album without measuring; the arguments are those of `records`."""
        # Whole batches, as they were measured: in another one the last bits may differ.
        batches = [b for b in self._batches(at_once) if not album.chosen.isdisjoint(b)]
        for indices, image, mask, raw, _ in self._filled(network, name, batches):
            self._picture(album, network, indices, image, mask, raw)

    def _batches(self, at_once: int | None) -> list[range]:
        """Return the numbers of all pairs in batches of `at_once`, or as the settings say."""
        size, count = at_once or self.settings.eval_batch, len(self.pairs)
        return [range(first, min(first + size, count)) for first in range(0, count, size)]

    def _rows(
        self, indices: Sequence[int], image: Tensor, mask: Tensor, raw: Tensor, seconds: float
    ) -> Iterator[dict[str, Any]]:
        measured = measure(self.measures, raw, image, mask)
        for row, index in enumerate(indices):
            pair = asdict(self.pairs.manifest.pairs[index]) | {"pair": index}
            for ready, region, values in measured:
                yield pair | {
                    "metric": ready.metric.name,
                    "region": region,
                    "value": values[row],
                    "note": ready.note,
                    "metric_version": ready.metric.version,
                    "seconds": seconds,
                }

    def _picture(
        self,
        album: Album,
        network: nn.Module,
        indices: Sequence[int],
        image: Tensor,
        mask: Tensor,
        raw: Tensor,
    ) -> None:
        for row, index in enumerate(indices):
            if index in album.chosen:
                album.add(index, image[row], mask[row], raw[row])
            if index in album.chosen and index in self.pairs.manifest.first_of_buckets:
                album.add_views(index, network, blank(image, mask)[row], mask[row])

    def _filled(
        self, network: nn.Module, name: str, batches: Sequence[range]
    ) -> Iterator[tuple[range, Tensor, Tensor, Tensor, float]]:
        """Yield indices, image, mask and raw output of each batch, and the seconds per image."""
        network = to_device(network, self.device).eval()
        if self.settings.compile == "on" and next(network.parameters(), None) is not None:
            network = Compiled(network, len(batches[0]))
        with tqdm(total=sum(map(len, batches)), desc=f"evaluate {name}", unit="img") as bar:
            for indices in batches:
                images, masks = (x.to(self.device) for x in self.pairs.batch(indices))
                image, mask = images.float() / 255, masks.float()
                raw, seconds = _timed(network, indices, image, mask)
                yield indices, image, mask, raw, seconds / len(indices)
                bar.update(len(indices))


Compared = dict[Region, tuple[Tensor, Tensor, Tensor | None]]
"""Output, target and, for the hole, the pixels that count, by region; images in 0..255."""


def _regions(raw: Tensor, image: Tensor, mask: Tensor) -> Compared:
    """Return the images that each region compares, rounded to 8 bits."""
    output, target = quantise(raw), quantise(image)
    filled = composite(output, target, mask)
    return {
        "composite": (filled, target, None),
        "raw": (output, target, None),
        "hole": (filled, target, 1 - mask.float()),
    }


def measure(
    measures: Iterable[Measure], raw: Tensor, image: Tensor, mask: Tensor
) -> list[tuple[Measure, Region, list[float]]]:
    """Return one number per image for each metric and region.

    The raw output and the image are [B,3,H,W] in [0,1], the mask is [B,1,H,W] with 1 = known.
    Numbers are NaN for a metric that cannot be measured.
    """
    compared = _regions(raw, image, mask)
    with torch.no_grad(), full_float32():  # SSIM and LPIPS convolve
        return [
            (ready, region, _values(ready, *compared[region]))
            for ready in measures
            for region in ready.metric.regions
        ]


def _values(ready: Measure, output: Tensor, target: Tensor, hole: Tensor | None) -> list[float]:
    if ready.function is None:
        return [math.nan] * len(output)
    low, high = ready.metric.input_range
    if (low, high) != (0.0, RANGE):
        output, target = (x / (RANGE / (high - low)) + low for x in (output, target))
    values: list[float] = ready.function(output, target, hole).tolist()
    return values


def load(metric: Metric, settings: Evaluation, device: torch.device) -> Measure:
    """Return a metric with its function, or with the note why it cannot be measured."""
    try:
        return Measure(metric, metric.load(settings, device), "")
    except MissingWeightsError as error:
        return Measure(metric, None, str(error))


def _timed(
    network: nn.Module, indices: Sequence[int], image: Tensor, mask: Tensor
) -> tuple[Tensor, float]:
    """Return the network's output and the seconds it took, until the device was done.

    How long outputs took that were made elsewhere is not known: NaN.
    """
    if isinstance(network, Given):
        return network.of(indices).to(image.device), math.nan
    start = time.perf_counter()
    output = fill(network, image, mask)
    if output.is_cuda:  # CUDA runs on its own: without a wait, only the launch is timed.
        torch.cuda.synchronize()
    return output, time.perf_counter() - start
