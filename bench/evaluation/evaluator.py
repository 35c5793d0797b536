"""Runs a network over the test pairs and writes down what it measures."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from bench.config import Evaluation
from bench.data.pairs import TestPairs
from bench.evaluation import lpips_distance as perceptual_distance
from bench.evaluation.album import Album
from bench.evaluation.fill import blank, fill
from bench.evaluation.lpips_distance import MissingWeightsError
from bench.evaluation.metrics import pixelwise as metrics
from bench.networks.layers import composite, place

Measured = dict[tuple[str, str], Tensor]


class Evaluator:
    """Measures networks on the same pairs, with the same metrics.

    Networks run in float32, so that numbers do not depend on a device's bf16 units.
    """

    def __init__(self, pairs: TestPairs, settings: Evaluation, device: torch.device) -> None:
        self.pairs, self.settings, self.device = pairs, settings, device
        self.lpips_name = f"lpips_{settings.lpips}" if settings.lpips != "off" else "lpips"
        self.lpips, self.lpips_missing = self._lpips()

    def _lpips(self) -> tuple[nn.Module | None, str]:
        file = Path(self.settings.lpips_weights) if self.settings.lpips_weights else None
        try:
            model = perceptual_distance.build(self.settings.lpips, file, self.settings.download)
        except MissingWeightsError as error:
            return None, str(error)
        return model.to(self.device), ""

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
        return pd.DataFrame(rows).assign(
            metric_version=metrics.VERSION, manifest=self.pairs.manifest.hash, **identity
        )

    def _rows(
        self, indices: Sequence[int], image: Tensor, mask: Tensor, raw: Tensor, seconds: float
    ) -> Iterator[dict[str, Any]]:
        measured = metrics.measure(raw, image, mask) | self._distance(raw, image, mask)
        for row, index in enumerate(indices):
            pair = asdict(self.pairs.manifest.pairs[index]) | {"pair": index}
            for (metric, region), values in measured.items():
                yield pair | {
                    "metric": metric,
                    "region": region,
                    "value": values[row].item(),
                    "note": self.lpips_missing if metric == self.lpips_name else "",
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
        network = place(network, self.device).eval()
        with tqdm(total=len(self.pairs), desc=f"evaluate {name}", unit="img") as bar:
            for first in range(0, len(self.pairs), size):
                indices = list(range(first, min(first + size, len(self.pairs))))
                images, masks = (x.to(self.device) for x in self.pairs.batch(indices))
                image, mask = images.float() / 255, masks.float()
                raw, seconds = _timed(network, image, mask)
                yield indices, image, mask, raw, seconds / len(indices)
                bar.update(len(indices))

    def _distance(self, raw: Tensor, image: Tensor, mask: Tensor) -> Measured:
        if self.lpips is None:
            nothing = torch.full((len(raw),), torch.nan)
            return {(self.lpips_name, region): nothing for region in ("composite", "raw")}
        output, target = metrics.quantise(raw), metrics.quantise(image)
        with torch.no_grad():
            return {
                (self.lpips_name, region): perceptual_distance.distance(self.lpips, picture, target)
                for region, picture in (
                    ("composite", composite(output, target, mask)),
                    ("raw", output),
                )
            }


def mean_psnr(network: nn.Module, pairs: TestPairs, device: torch.device, batch: int) -> float:
    """Mean composite PSNR over the pairs, in dB: the number of validation curves."""
    values = []
    for first in range(0, len(pairs), batch):
        chosen = range(first, min(first + batch, len(pairs)))
        images, masks = (x.to(device) for x in pairs.batch(chosen))
        image, mask = images.float() / 255, masks.float()
        raw = fill(network, image, mask)
        values.append(metrics.measure(raw, image, mask)["psnr", "composite"])
    psnr = torch.cat(values)
    return float(psnr[psnr.isfinite()].mean())


def _timed(network: nn.Module, image: Tensor, mask: Tensor) -> tuple[Tensor, float]:
    """Return the network's output and the seconds it took, the device's queue waited for."""
    start = time.perf_counter()
    output = fill(network, image, mask)
    if output.is_cuda:
        torch.cuda.synchronize()
    return output, time.perf_counter() - start
