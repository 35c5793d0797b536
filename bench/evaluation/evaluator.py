"""Runs a network over the test pairs and writes down what it measures."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from bench.config import Evaluation
from bench.core.errors import MissingWeightsError
from bench.data.pairs import TestPairs
from bench.evaluation.album import Album
from bench.evaluation.fill import blank, fill
from bench.evaluation.metrics.metric import Metric, MetricFunction, Region, all_metrics
from bench.evaluation.metrics.pixelwise import RANGE, quantise
from bench.evaluation.metrics.psnr import psnr
from bench.networks.holes import composite
from bench.networks.layers import to_device


class Measure(NamedTuple):
    """A metric that the settings ask for, ready to measure."""

    metric: Metric
    function: MetricFunction | None
    """None where its weights cannot be had."""
    note: str
    """Why it cannot be measured."""


class Evaluator:
    """Measures networks on the same pairs, with the same metrics.

    Networks run in float32, so that numbers do not depend on a device's bf16 units.
    """

    def __init__(self, pairs: TestPairs, settings: Evaluation, device: torch.device) -> None:
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
    ) -> pd.DataFrame:
        """One row per pair, metric and region; `at_once` pairs a pass, else as the settings say.

        `identity` fills the columns that are the same for all rows (family, method, seed,
        fingerprint); an `album` receives the pictures.
        """
        rows: list[dict[str, Any]] = []
        size = at_once or self.settings.eval_batch
        for indices, image, mask, raw, seconds in self._filled(network, name, size):
            rows += self._rows(indices, image, mask, raw, seconds)
            if album is not None:
                self._picture(album, network, indices, image, mask, raw)
        return pd.DataFrame(rows).assign(manifest=self.pairs.manifest.hash, **identity)

    def _rows(
        self, indices: Sequence[int], image: Tensor, mask: Tensor, raw: Tensor, seconds: float
    ) -> Iterator[dict[str, Any]]:
        measured = measure(self.measures, raw, image, mask)
        for row, index in enumerate(indices):
            pair = asdict(self.pairs.manifest.pairs[index]) | {"pair": index}
            for chosen, region, values in measured:
                yield pair | {
                    "metric": chosen.metric.name,
                    "region": region,
                    "value": values[row],
                    "note": chosen.note,
                    "metric_version": chosen.metric.version,
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
            album.add(index, image[row], mask[row], raw[row])
            if index in self.pairs.manifest.first_of_buckets:
                album.add_views(index, network, blank(image, mask)[row], mask[row])

    def _filled(
        self, network: nn.Module, name: str, size: int
    ) -> Iterator[tuple[list[int], Tensor, Tensor, Tensor, float]]:
        """Indices, image, mask and raw output of each batch, and seconds per image."""
        network = to_device(network, self.device).eval()
        with tqdm(total=len(self.pairs), desc=f"evaluate {name}", unit="img") as bar:
            for first in range(0, len(self.pairs), size):
                indices = list(range(first, min(first + size, len(self.pairs))))
                images, masks = (x.to(self.device) for x in self.pairs.batch(indices))
                image, mask = images.float() / 255, masks.float()
                raw, seconds = _timed(network, image, mask)
                yield indices, image, mask, raw, seconds / len(indices)
                bar.update(len(indices))


Pictures = dict[Region, tuple[Tensor, Tensor, Tensor | None]]
"""Output, target and, for the hole, the pixels that count, by region; images in 0..255."""


def _regions(raw: Tensor, image: Tensor, mask: Tensor) -> Pictures:
    """Return what each region compares, after rounding to 8 bits."""
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
    """Return one number per image for each metric and region, from raw output and image in [0,1].

    Numbers are NaN for a metric that cannot be measured.
    """
    pictures = _regions(raw, image, mask)
    with torch.no_grad():
        return [
            (chosen, region, _values(chosen, *pictures[region]))
            for chosen in measures
            for region in chosen.metric.regions
        ]


def _values(chosen: Measure, output: Tensor, target: Tensor, hole: Tensor | None) -> list[float]:
    if chosen.function is None:
        return [math.nan] * len(output)
    low, high = chosen.metric.input_range
    if (low, high) != (0.0, RANGE):
        output, target = (x / (RANGE / (high - low)) + low for x in (output, target))
    values: list[float] = chosen.function(output, target, hole).tolist()
    return values


def load(metric: Metric, settings: Evaluation, device: torch.device) -> Measure:
    """Return a metric with its function, or with the note why it cannot be measured."""
    try:
        return Measure(metric, metric.load(settings, device), "")
    except MissingWeightsError as error:
        return Measure(metric, None, str(error))


def mean_psnr(network: nn.Module, pairs: TestPairs, device: torch.device, batch: int) -> float:
    """Return the mean composite PSNR over the pairs in dB: the number of validation curves."""
    values = []
    for first in range(0, len(pairs), batch):
        chosen = range(first, min(first + batch, len(pairs)))
        images, masks = (x.to(device) for x in pairs.batch(chosen))
        image, mask = images.float() / 255, masks.float()
        raw = fill(network, image, mask)
        values.append(psnr(*_regions(raw, image, mask)["composite"]))
    measured = torch.cat(values)
    return float(measured[measured.isfinite()].mean())


def _timed(network: nn.Module, image: Tensor, mask: Tensor) -> tuple[Tensor, float]:
    """Return the network's output and the seconds it took, the device's queue waited for."""
    start = time.perf_counter()
    output = fill(network, image, mask)
    if output.is_cuda:
        torch.cuda.synchronize()
    return output, time.perf_counter() - start
