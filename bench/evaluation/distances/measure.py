"""The measurement of distances: which can be measured, and the features that they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from bench.config import Evaluation
from bench.core.errors import MissingWeightsError
from bench.data.pairs import FrozenPairs
from bench.evaluation.distances import inception
from bench.evaluation.distances.formulas import FORMULAS
from bench.evaluation.distances.table import ALL, DISTANCES
from bench.evaluation.metrics.pixelwise import quantise
from bench.networks.holes import composite

LEAST = {distance.name: distance.least for distance in DISTANCES}


class Filled:
    """The features of one method's composites, gathered while the evaluator goes through the pairs.

    They take 8 KiB a pair.
    """

    def __init__(self, features: inception.Features) -> None:
        self._function = features.function
        self._found: list[Tensor] = []

    def add(self, raw: Tensor, image: Tensor, mask: Tensor) -> None:
        """Add the composites, with 8 bits, of the next pairs.

        Raw output and image are [B,3,H,W] in [0,1], the mask is [B,1,H,W] with 1 = known.
        """
        images = composite(quantise(raw), quantise(image), mask)
        self._found.append(self._function(images.byte()))

    @property
    def features(self) -> Tensor:
        """The features [N,F] of all pairs."""
        return torch.cat(self._found)


class Distances:
    """The distances of all methods on the same test pairs.

    What cannot be measured has a reason. With `--distances on`, missing packages and weights are a
    `MissingWeightsError` at once.
    """

    def __init__(self, pairs: FrozenPairs, settings: Evaluation, device: torch.device) -> None:
        self.pairs, self.settings = pairs, settings
        self.features: inception.Features | None = None
        self.reason = "switched off by --distances off" if settings.distances == "off" else ""
        if settings.distances == "on" or (settings.distances == "auto" and self._enough):
            try:
                self.features = inception.load(settings, device)
            except MissingWeightsError as error:
                if settings.distances == "on":
                    raise MissingWeightsError(f"--distances on: {error}") from error
                self.reason = str(error)

    @property
    def digest(self) -> str:
        """First digits of the weights' digest; empty where no distance is measured."""
        return self.features.digest if self.features and self._enough else ""

    def gather(self) -> Filled | None:
        """Return what gathers the features of a method; None where no distance can be measured."""
        return Filled(self.features) if self.features and self._enough else None

    def rows(self, filled: Filled | None, columns: Mapping[str, str | int]) -> pd.DataFrame:
        """Return one row per bucket and distance; `columns` are the same in all of them."""
        rows = list(self._rows(filled))
        return pd.DataFrame(rows).assign(manifest=self.pairs.manifest.hash, **columns)

    def _rows(self, filled: Filled | None) -> Iterator[dict[str, Any]]:
        features = None if filled is None else filled.features
        buckets = tqdm(self._buckets.items(), desc="distances", unit="bucket", delay=2)
        for bucket, numbers in buckets:
            for names, formula in FORMULAS.items():
                reason, values = self._reason(numbers, LEAST[names[0]]), {}
                if features is not None and not reason:
                    values = formula(self._true[numbers], features[numbers])
                for name in names:
                    yield {
                        "bucket": bucket,
                        "metric": name,
                        "value": values.get(name, float("nan")),
                        "n": len(numbers),
                        "reason": reason,
                    }

    @cached_property
    def _buckets(self) -> dict[str, list[int]]:
        """The numbers of the pairs in each bucket, and in all of them."""
        buckets: dict[str, list[int]] = {}
        for number, pair in enumerate(self.pairs.manifest.pairs):
            buckets.setdefault(pair.bucket, []).append(number)
        return {**buckets, ALL: list(range(len(self.pairs)))}

    @property
    def _enough(self) -> bool:
        """Whether there are images enough for any distance."""
        return self._different(self._buckets[ALL]) >= min(LEAST.values())

    def _reason(self, numbers: Sequence[int], least: int) -> str:
        """Return why a distance over some pairs is not measured, or nothing."""
        count = self._different(numbers)
        if self.settings.distances != "off" and count < least:
            return f"{count:,} of {least:,} different images"
        return self.reason

    def _different(self, numbers: Sequence[int]) -> int:
        """Return how many different true images some pairs have: buckets share their crops."""
        return len({self._crops[number] for number in numbers})

    @cached_property
    def _crops(self) -> list[tuple[str, int, int]]:
        return [(pair.image, pair.top, pair.left) for pair in self.pairs.manifest.pairs]

    @cached_property
    def _true(self) -> Tensor:
        """The features [N,F] of the true images of all pairs; each crop is looked at once."""
        assert self.features is not None
        pair_of = {crop: number for number, crop in enumerate(self._crops)}
        place = {crop: row for row, crop in enumerate(pair_of)}
        numbers, size = list(pair_of.values()), self.settings.eval_batch
        batches = [numbers[start : start + size] for start in range(0, len(numbers), size)]
        found = [
            self.features.function(self.pairs.batch(batch)[0])
            for batch in tqdm(batches, desc="features of true images", unit="batch", delay=2)
        ]
        return torch.cat(found)[[place[crop] for crop in self._crops]]
