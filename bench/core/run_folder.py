"""The files of a run; no other module spells their names.

A run is a folder. The trainer and the evaluator write into it, and reports read from it; all of
them take its paths from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.errors import UserError
from bench.core.files import read_json

OUTPUT = re.compile(r"(\d+)_(.+)\.png")
"""Pattern of a picture's file name: the number of its pair, and the name of the picture."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Names of methods and pictures: they are parts of paths, and must not lead out of a folder."""
NOT_SETTINGS = ("method", "code", "departures", "training.seed")
"""Parts of an identity in which runs may differ and still stand in one table."""


@dataclass(frozen=True)
class PairPictures:
    """The folder with the pictures of a run's test pairs, named `00012_output.png`.

    `input` is the image with a white hole, `output` the filled image and `truth` the image itself.
    Some pairs also have maps from inside a network, such as `mask-encoder-1`.
    """

    path: Path

    def file(self, pair: int, what: str) -> Path:
        """Return the path of a pair's picture: `input`, `output`, `truth` or the name of a map."""
        if not NAME.fullmatch(what):
            raise UserError(
                f"picture name '{what}': use letters, digits, '.', '_' and '-': it names a file"
            )
        return self.path / f"{pair:05d}_{what}.png"

    def pairs_with(self, what: str) -> set[int]:
        """Return the numbers of the pairs that have that picture."""
        return {pair for pair, name in self._saved() if name == what}

    def names(self) -> set[str]:
        """Return the names of all pictures that any pair has."""
        return {name for _, name in self._saved()}

    def _saved(self) -> list[tuple[int, str]]:
        """Return (pair, name) of each picture; skip other files, such as half-written ones."""
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
        """File that says how far the run is; a folder without it is no run."""
        return self.path / "state.json"

    @property
    def lock(self) -> Path:
        """File that a process keeps locked while it works on the run; it outlives the folder."""
        return self.path.with_name(f".{self.name}.lock")

    @property
    def identity(self) -> Path:
        """File of everything that can change the result; its digest is the fingerprint."""
        return self.path / "identity.json"

    @property
    def config(self) -> Path:
        """File of the config as it was asked for; an evaluation of given weights has none."""
        return self.path / "config.json"

    @property
    def environment(self) -> Path:
        """File of versions, commit, processor and device."""
        return self.path / "environment.json"

    @property
    def manifest(self) -> Path:
        """File that lists the test pairs."""
        return self.path / "manifest.json"

    @property
    def splits(self) -> Path:
        """File that lists the images of each split; an algorithm has none."""
        return self.path / "splits.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints, one folder each."""
        return self.path / "checkpoints"

    @property
    def weights(self) -> Path:
        """File of the trained weights."""
        return self.path / "weights.safetensors"

    @property
    def log(self) -> Path:
        """Table of losses by step."""
        return self.path / "log.csv"

    @property
    def validation(self) -> Path:
        """Table of validation PSNR, dB, by step."""
        return self.path / "validation.csv"

    @property
    def scalars(self) -> Path:
        """Table of the network's scalar parameters by step, where it has any to follow."""
        return self.path / "scalars.csv"

    @property
    def tensorboard(self) -> Path:
        """Folder of the numbers of these tables for TensorBoard, where that is installed."""
        return self.path / "tensorboard"

    @property
    def samples(self) -> Path:
        """Folder of validation pictures by step."""
        return self.path / "samples"

    @property
    def records(self) -> Path:
        """Table with one row per test pair, metric and region."""
        return self.path / "records.csv"

    @property
    def pictures(self) -> PairPictures:
        """The pictures of the test pairs."""
        return PairPictures(self.path / "pictures")

    @property
    def cost(self) -> Path:
        """File of the cost of filling one image."""
        return self.path / "cost.json"

    @property
    def results(self) -> list[Path]:
        """The files that the run's numbers and pictures rest on, as far as they are there."""
        single = [
            *(self.identity, self.config, self.environment, self.manifest, self.splits),
            *(self.weights, self.log, self.validation, self.scalars, self.records, self.cost),
        ]
        pictures = [*self.samples.glob("*.png"), *self.pictures.path.glob("*.png")]
        written = (path for path in sorted(pictures) if not path.name.startswith("."))
        return [*(path for path in single if path.exists()), *written]

    def read_identity(self) -> dict[str, Any]:
        """Read the identity: everything that can change the result."""
        identity = read_json(self.identity)
        if not isinstance(identity, dict):
            raise UserError(f"{self.identity} is damaged: it holds no identity; use run --redo")
        return identity

    @property
    def method(self) -> str:
        """Name of the run's method."""
        name = self.read_identity().get("method")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise UserError(f"{self.identity} is damaged: it names no method; use run --redo")
        return name

    @property
    def trained(self) -> bool:
        """Whether the method learned from images; an algorithm did not."""
        return not {"training images", "weights"}.isdisjoint(self.read_identity())

    @property
    def settings(self) -> dict[str, Any]:
        """The identity without method, code and seed; runs that agree in it can be compared."""
        return {k: v for k, v in self.read_identity().items() if k not in NOT_SETTINGS}
