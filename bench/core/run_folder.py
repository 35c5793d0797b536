"""The files of a run: the only place that spells their names.

A run is a folder. The trainer and the evaluator write into it, and reports read from it; all of
them take its paths from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.files import read_json

OUTPUT = re.compile(r"(\d+)_(.+)\.png")
NOT_SETTINGS = ("method", "code", "training.seed")
"""Parts of an identity in which runs may differ that stand in one table."""


@dataclass(frozen=True)
class PairPictures:
    """The folder with the pictures of a run's test pairs, named `00012_output.png`.

    `input` is the image with a white hole, `output` the filled image and `truth` the image itself.
    Maps from inside a network, such as `mask-encoder-1`, are there for some pairs.
    """

    path: Path

    def file(self, pair: int, what: str) -> Path:
        """Return the path of one picture of a pair: `input`, `output`, `truth` or a map's name."""
        return self.path / f"{pair:05d}_{what}.png"

    def pairs_with(self, what: str) -> set[int]:
        """Return the numbers of the pairs that have that picture."""
        return {pair for pair, name in self._saved() if name == what}

    def names(self) -> set[str]:
        """Return the names of all pictures that any pair has."""
        return {name for _, name in self._saved()}

    def _saved(self) -> list[tuple[int, str]]:
        """Return (pair, name) of each picture; other files, such as half-written ones, are none."""
        matches = (OUTPUT.fullmatch(file.name) for file in self.path.glob("*.png"))
        return [(int(match[1]), match[2]) for match in matches if match]


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run, with a path for each of its files."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's own name, such as `forward-quick-seed0`."""
        return self.path.name

    @property
    def state(self) -> Path:
        """How far the run is; a folder without this file is no run."""
        return self.path / "state.json"

    @property
    def lock(self) -> Path:
        """File that the process at work holds locked."""
        return self.path / "lock"

    @property
    def identity(self) -> Path:
        """Everything that can change the result; its digest is the fingerprint."""
        return self.path / "identity.json"

    @property
    def config(self) -> Path:
        """The config as it was asked for; not there for an evaluation of foreign weights."""
        return self.path / "config.json"

    @property
    def environment(self) -> Path:
        """Versions, commit, processor and device."""
        return self.path / "environment.json"

    @property
    def manifest(self) -> Path:
        """The test pairs."""
        return self.path / "manifest.json"

    @property
    def splits(self) -> Path:
        """The images of each split; not there for an algorithm."""
        return self.path / "splits.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints, one folder each."""
        return self.path / "checkpoints"

    @property
    def weights(self) -> Path:
        """The trained weights."""
        return self.path / "weights.safetensors"

    @property
    def log(self) -> Path:
        """Losses by step."""
        return self.path / "log.csv"

    @property
    def validation(self) -> Path:
        """Validation PSNR by step."""
        return self.path / "validation.csv"

    @property
    def scalars(self) -> Path:
        """Scalar parameters of the network by step, where it tells any."""
        return self.path / "scalars.csv"

    @property
    def tensorboard(self) -> Path:
        """Folder of the same numbers for TensorBoard, where that is installed."""
        return self.path / "tensorboard"

    @property
    def samples(self) -> Path:
        """Folder of validation pictures by step."""
        return self.path / "samples"

    @property
    def records(self) -> Path:
        """One row per test pair, metric and region."""
        return self.path / "records.csv"

    @property
    def pictures(self) -> PairPictures:
        """The pictures of the test pairs."""
        return PairPictures(self.path / "pictures")

    @property
    def cost(self) -> Path:
        """What filling one image costs."""
        return self.path / "cost.json"

    def read_identity(self) -> dict[str, Any]:
        """Read everything that can change the result."""
        identity: dict[str, Any] = read_json(self.identity)
        return identity

    @property
    def method(self) -> str:
        """Name of the run's method."""
        return str(self.read_identity()["method"])

    @property
    def trained(self) -> bool:
        """Whether the method learned from images; an algorithm did not."""
        return not {"training images", "weights"}.isdisjoint(self.read_identity())

    @property
    def settings(self) -> dict[str, Any]:
        """The identity without the method, its code and the seed: runs that agree compare."""
        return {k: v for k, v in self.read_identity().items() if k not in NOT_SETTINGS}
