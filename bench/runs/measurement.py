"""The measurement of a method, and of reference algorithms next to it, on the same test pairs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import pandas as pd
from torch import nn

from bench import registry
from bench.config import Config
from bench.core import device
from bench.core.errors import UserError
from bench.core.files import remove
from bench.core.references import resolve
from bench.core.run_folder import PairPictures, RunFolder
from bench.data.inputs import Inputs
from bench.evaluation import records
from bench.evaluation.album import Album, PictureWriter, save_inputs
from bench.evaluation.distances import table
from bench.evaluation.distances.measure import Distances, Filled
from bench.evaluation.evaluator import Evaluator
from bench.registry import Algorithm, Method


class Measurement(NamedTuple):
    """Results and pictures that do not yet stand in the place of older ones."""

    records: pd.DataFrame
    distances: pd.DataFrame
    pictures: PairPictures

    def keep(self, run: RunFolder) -> None:
        """Put results and pictures into a run, in the place of those that are there."""
        remove(run.pictures.own)
        if self.pictures.own.exists():
            self.pictures.own.rename(run.pictures.own)
        table.write(run.distances, self.distances)
        records.write(run.records, self.records)


@dataclass(frozen=True)
class Bench:
    """Test pairs, evaluator, distances and reference methods of one config."""

    config: Config
    evaluator: Evaluator
    distances: Distances
    references: list[Method]

    @classmethod
    def prepare(cls, config: Config, inputs: Inputs) -> Bench:
        """Build everything that an evaluation needs; what is missing or wrong is an error now."""
        references = _references(config.evaluation.references)
        where = device.choose(config.training.device)
        asked = inputs.test, config.evaluation, where
        return cls(config, Evaluator(*asked), Distances(*asked), references)

    def measure(self, method: Method, network: nn.Module, mark: str, run: RunFolder) -> Measurement:
        """Measure a network and the reference methods, with pictures of the network's outputs.

        `mark` is the fingerprint that all records carry. The outputs lie in a temporary folder
        inside the run's.
        """
        pictures = self._pictures(run, ".pictures.tmp")
        with self._album(method, pictures, self.pictured) as album:
            found = [self._results(method, network, mark, album)]
        for other in self.references:
            if other.name != method.name:
                network = other.build(self.config.model)
                found.append(self._results(other, network, mark, None))
        frames, distances = (
            pd.concat(kind, ignore_index=True) for kind in zip(*found, strict=True)
        )
        return Measurement(frames, distances, pictures)

    def _results(
        self, method: Method, network: nn.Module, mark: str, album: Album | None
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return a network's records and distances."""
        filled = self.distances.gather()
        measured = self.records(method, network, mark, album, filled)
        return measured, self.distances.rows(filled, self._columns(method))

    @cached_property
    def pictured(self) -> frozenset[int]:
        """The numbers of the test pairs whose pictures are saved."""
        asked = self.config.evaluation.pictured
        return frozenset(self.evaluator.pairs.manifest.sample(asked))

    def draw(
        self, method: Method, network: nn.Module, run: RunFolder, pairs: frozenset[int]
    ) -> None:
        """Make the pictures of these test pairs again, and leave the records as they are."""
        with self._album(method, self._pictures(run, "pictures"), pairs) as album:
            self.evaluator.draw(network, method.name, album, self._at_once(method))

    def _pictures(self, run: RunFolder, name: str) -> PairPictures:
        """Return the place of the pictures: an empty folder in the run's, and the shared one."""
        shared = run.shared_pictures(self.evaluator.pairs.manifest.hash)
        pictures = PairPictures(run.path / name, shared)
        remove(pictures.own)
        return pictures

    @contextmanager
    def _album(
        self, method: Method, pictures: PairPictures, pairs: frozenset[int]
    ) -> Iterator[Album]:
        """Yield the album of a method's outputs for some pairs, whose inputs are saved before."""
        save_inputs(self.evaluator.pairs, pairs, pictures)
        views = resolve(method.views) if method.views else None
        with PictureWriter() as writer:
            yield Album(pictures, pairs, writer, views)

    def records(
        self,
        method: Method,
        network: nn.Module,
        mark: str,
        album: Album | None = None,
        filled: Filled | None = None,
    ) -> pd.DataFrame:
        """Measure a network alone; `mark` is the fingerprint.

        An `album` receives the pictures, and `filled` the features of all outputs.
        """
        columns = {**self._columns(method), "fingerprint": mark}
        return self.evaluator.records(
            network, method.name, columns, album, self._at_once(method), filled
        )

    def _columns(self, method: Method) -> dict[str, str | int]:
        """Return the columns that are the same in all results of a method."""
        return {
            "family": method.family,
            "method": method.name,
            "seed": 0 if isinstance(method, Algorithm) else self.config.training.seed,
        }

    def _at_once(self, method: Method) -> int:
        """Return how many pairs a method gets in one pass."""
        batch = self.config.evaluation.eval_batch
        # Algorithms fill one image a core: fewer would leave some idle.
        return max(batch, os.cpu_count() or 1) if isinstance(method, Algorithm) else batch


def _references(names: str) -> list[Method]:
    """Return the algorithms of comma-separated names; `floor` stands for the simplest."""
    if names == "floor":
        return registry.floors()
    methods = [registry.find(name.strip()) for name in names.split(",") if name.strip()]
    for method in methods:
        if not isinstance(method, Algorithm):
            raise UserError(f"--references {method.name}: it has weights; use run or evaluate")
    return methods
