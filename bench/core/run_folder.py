"""The files of a run; no other module spells their names.

A run is a folder. The trainer and the evaluator write into it, and reports read from it; all of
them take its paths from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core import sums
from bench.core.errors import UserError
from bench.core.files import read_json

SAVED = re.compile(r"(\d+)_(.+)\.webp")
"""Pattern of a picture's file name: the number of its pair, and the name of the picture."""
SHARED = ("input", "truth")
"""Pictures that are the same in every run on the same test pairs."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Names of methods and pictures: they are parts of paths, and must not lead out of a folder."""
OUTPUTS = "outputs"
"""Beginning of the tag in the names of runs of outputs that were made elsewhere."""
AGAIN = "take an unchanged copy, or give the command that made the run again, with --redo"
"""Remedy for damage of what says what a run is. Which command that was, the run may not tell."""
NOT_SETTINGS = ("method", "code", "outputs", "departures", "training.seed")
"""Parts of an identity in which runs may differ and still stand in one table."""


@dataclass(frozen=True)
class PairPictures:
    """The pictures of a run's test pairs, in lossless WebP, named `00012_output.webp`.

    `output` is the filled image. Some pairs also have maps from inside a network, such as
    `mask-encoder-1`. These lie in the run's own folder. `input`, the image with a white hole, and
    `truth`, the image itself, lie once in a folder that all runs on the same pairs share.
    """

    own: Path
    shared: Path

    def file(self, pair: int, what: str) -> Path:
        """Return the path of a pair's picture: `input`, `output`, `truth` or the name of a map."""
        if not NAME.fullmatch(what):
            raise UserError(
                f"picture name '{what}': use letters, digits, '.', '_' and '-': it names a file"
            )
        return (self.shared if what in SHARED else self.own) / f"{pair:05d}_{what}.webp"

    def pairs_with(self, *what: str) -> set[int]:
        """Return the numbers of the pairs that have all these pictures."""
        saved = self._saved()
        return set.intersection(*({pair for pair, name in saved if name == w} for w in what))

    def names(self) -> set[str]:
        """Return the names of all pictures that any pair has."""
        return {name for _, name in self._saved()}

    def inputs(self, pair: int) -> list[Path]:
        """Return the paths of a pair's input and truth."""
        return [self.file(pair, what) for what in SHARED]

    def damaged_inputs(self, pairs: Iterable[int]) -> list[int]:
        """Return which of these pairs lack an input or a truth as it was written."""
        pair_of = {file.name: pair for pair in pairs for file in self.inputs(pair)}
        files = [self.shared / name for name in pair_of]
        try:
            problems = sums.damaged(self.shared, files, pair_of.__contains__)
        except sums.DamagedError:  # nothing tells which are as they were
            return sorted(set(pair_of.values()))
        return sorted({pair_of[name] for name in problems})

    @property
    def complete(self) -> set[int]:
        """The numbers of the pairs that have input, output and truth."""
        return self.pairs_with("output", *SHARED)

    def _saved(self) -> list[tuple[int, str]]:
        files = [*self.own.glob("*.webp"), *self.shared.glob("*.webp")]
        return saved_pictures(file.name for file in files)


def saved_pictures(names: Iterable[str]) -> list[tuple[int, str]]:
    """Return the pair and the name of each picture, by files' names; skip all other files."""
    matches = map(SAVED.fullmatch, names)
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
    def heartbeat(self) -> Path:
        """File that tells who works on the run now; it is no result, and goes when it finishes."""
        return self.path / "heartbeat.json"

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
        """File of the config as it was asked for."""
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
        """Folder of the numbers of these tables for TensorBoard, with `--tracker tensorboard`."""
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
    def distances(self) -> Path:
        """Table with one row per bucket and distance; runs of older versions have none."""
        return self.path / "distances.csv"

    @property
    def pictures(self) -> PairPictures:
        """The pictures of the test pairs."""
        pairs = self.read_identity().get("test pairs")
        if not isinstance(pairs, str) or not NAME.fullmatch(pairs):
            raise UserError(f"{self.identity} is damaged: it names no test pairs; {AGAIN}")
        return PairPictures(self.path / "pictures", self.shared_pictures(pairs))

    def shared_pictures(self, pairs: str) -> Path:
        """Return the folder, next to the run, of what all runs on these test pairs share.

        `pairs` is the hash of their manifest.
        """
        return self.path.parent / "pairs" / pairs

    @property
    def cost(self) -> Path:
        """File of the cost of filling one image."""
        return self.path / "cost.json"

    @property
    def results(self) -> list[Path]:
        """The files that the run's numbers and pictures rest on, as far as they are there."""
        pictures = [*self.samples.glob("*.png"), *(self.path / "pictures").glob("*.webp")]
        written = (path for path in sorted(pictures) if not path.name.startswith("."))
        return [*(path for path in self._single_results() if path.exists()), *written]

    def may_hold(self, name: str) -> bool:
        """Return whether a file of this relative name would be one of the results."""
        path = self.path / name
        if path.parent == self.samples:
            return path.suffix == ".png"
        if path.parent == self.path / "pictures":
            return bool(SAVED.fullmatch(path.name))
        return path in self._single_results()

    def _single_results(self) -> list[Path]:
        return [
            *(self.identity, self.config, self.environment, self.manifest, self.splits),
            *(self.weights, self.log, self.validation, self.scalars, self.records, self.distances),
            self.cost,
        ]

    def read_identity(self) -> dict[str, Any]:
        """Read the identity: everything that can change the result."""
        identity = self.read_own(self.identity)
        if not isinstance(identity, dict):
            raise UserError(f"{self.identity} is damaged: it holds no identity; {AGAIN}")
        return identity

    def read_own(self, file: Path) -> Any:
        """Read a JSON file of the run without which it is none; the `UserError` says what to do."""
        try:
            return read_json(file)
        except UserError as error:
            raise UserError(f"{error}; {AGAIN}") from error

    @property
    def method(self) -> str:
        """Name of the run's method."""
        name = self.read_identity().get("method")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise UserError(f"{self.identity} is damaged: it names no method; {AGAIN}")
        return name

    @property
    def trained(self) -> bool:
        """Whether the method learned from images; an algorithm did not."""
        return not {"training images", "weights"}.isdisjoint(self.read_identity())

    @property
    def outputs(self) -> dict[str, Any]:
        """Digest and facts of outputs that were made elsewhere; empty for a run of a method."""
        found: dict[str, Any] = self.read_identity().get("outputs", {})
        return found

    @property
    def settings(self) -> dict[str, Any]:
        """The identity without what a run is one of: method, code or outputs, and seed.

        Runs that agree in it can be compared.
        """
        return {k: v for k, v in self.read_identity().items() if k not in NOT_SETTINGS}
