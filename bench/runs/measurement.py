"""The measurement of a method, and of reference algorithms next to it, on the same test pairs."""

from __future__ import annotations

import os
from dataclasses import dataclass
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
from bench.evaluation.album import Album
from bench.evaluation.evaluator import Evaluator
from bench.registry import Algorithm, Method


class Measurement(NamedTuple):
    """Records and pictures that do not yet stand in the place of older ones."""

    records: pd.DataFrame
    pictures: PairPictures

    def keep(self, run: RunFolder) -> None:
        """Put records and pictures into a run, in the place of those that are there."""
        remove(run.pictures.path)
        if self.pictures.path.exists():
            self.pictures.path.rename(run.pictures.path)
        records.write(run.records, self.records)


@dataclass(frozen=True)
class Bench:
    """Test pairs, evaluator and reference methods of one config."""

    config: Config
    evaluator: Evaluator
    references: list[Method]

    @classmethod
    def prepare(cls, config: Config, inputs: Inputs) -> Bench:
        """Build everything that an evaluation needs; what is missing or wrong is an error now."""
        references = _references(config.evaluation.references)
        where = device.choose(config.training.device)
        return cls(config, Evaluator(inputs.test, config.evaluation, where), references)

    def measure(self, method: Method, network: nn.Module, mark: str, run: RunFolder) -> Measurement:
        """Measure a network and the reference methods, with pictures of the network's outputs.

        `mark` is the fingerprint that all records carry. The pictures lie in a temporary folder
        inside the run's.
        """
        pictures = PairPictures(run.path / ".pictures.tmp")
        remove(pictures.path)
        frames = [self._records(method, network, mark, _album(method, pictures))]
        for other in self.references:
            if other.name != method.name:
                network = other.build(self.config.model)
                frames.append(self._records(other, network, mark, None))
        return Measurement(pd.concat(frames, ignore_index=True), pictures)

    def draw(self, method: Method, network: nn.Module, run: RunFolder) -> None:
        """Make the pictures of all test pairs again, and leave the records as they are."""
        self.evaluator.records(network, method.name, {}, _album(method, run.pictures))

    def _records(
        self, method: Method, network: nn.Module, mark: str, album: Album | None
    ) -> pd.DataFrame:
        algorithm = isinstance(method, Algorithm)
        columns: dict[str, str | int] = {
            "family": method.family,
            "method": method.name,
            "seed": 0 if algorithm else self.config.training.seed,
            "fingerprint": mark,
        }
        batch = self.config.evaluation.eval_batch
        if algorithm:  # one image a core: fewer would leave some idle
            batch = max(batch, os.cpu_count() or 1)
        return self.evaluator.records(network, method.name, columns, album, batch)


def _album(method: Method, pictures: PairPictures) -> Album:
    return Album(pictures, resolve(method.views) if method.views else None)


def _references(names: str) -> list[Method]:
    """Return the algorithms of comma-separated names; `floor` stands for the simplest."""
    if names == "floor":
        return registry.floors()
    methods = [registry.find(name.strip()) for name in names.split(",") if name.strip()]
    for method in methods:
        if not isinstance(method, Algorithm):
            raise UserError(f"--references {method.name}: it has weights; use run or evaluate")
    return methods
