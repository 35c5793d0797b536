"""The methods that the page offers, and the filling of one picture by one of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from torch import nn

from bench.config import Config
from bench.core import sums
from bench.core.device import choose, tune_cpu
from bench.core.errors import UserError
from bench.evaluation import arrays, picture
from bench.painting import uploads
from bench.registry import Algorithm, discover
from bench.runs.experiment import load_run, network_of
from bench.runs.run import Run
from bench.runs.sources import runs_at

KEPT = 8
"""Networks that stay in memory; of the others the weights are read again."""


@dataclass(frozen=True)
class Choice:
    """A method that the page offers: an algorithm, or a finished run's network."""

    name: str
    """Name of the algorithm, or the run's folder as the user named it; no two have the same."""
    summary: str
    """A few words about it."""
    preset: str = ""
    """Preset of the run; an algorithm has none."""


@dataclass(frozen=True)
class Filled:
    """A filled picture."""

    content: bytes
    """A PNG file; known pixels are those of the picture."""
    seconds: float
    """How long the filling took, without reading of weights and files."""


class Fillers:
    """The algorithms, and the finished runs of some folders."""

    def __init__(self, folders: Sequence[Path], device: str) -> None:
        self.folders, self.device = folders, choose(device)
        # One thread fills, whoever asks: two fillings at once would take the memory and the
        # processors from each other, and torch keeps helper threads for each thread that calls it.
        self._worker = ThreadPoolExecutor(1, initializer=tune_cpu)

    def found(self) -> tuple[list[Choice], list[str]]:
        """Return the runs and algorithms that are there now, and why other runs are left out."""
        runs, problems = [], []
        for run in self._runs():
            try:
                if run.progress == "finished" and _weights_sum(run):
                    method, config = load_run(run)
                    seed = config.training.seed
                    summary = f"{method.name}, preset {config.preset}, seed {seed}"
                    runs.append(Choice(str(run.path), summary, config.preset))
            except UserError as error:
                problems.append(f"left out: {error}")
        algorithms = [
            Choice(method.name, method.summary)
            for method in discover().values()
            if isinstance(method, Algorithm) and not method.only_named
        ]
        if not runs:
            looked = ", ".join(map(str, self.folders)) or "this folder"
            problems.append(f"no trained run in {looked}; make one with `python -m bench run`")
        return [*runs, *algorithms], problems

    def fill(self, name: str, image_file: bytes, mask_file: bytes) -> Filled:
        """Fill the hole of a picture by the method of a name; wait while another filling runs.

        The mask is a picture of the same size whose hole is white. What cannot be read or filled is
        a `UserError`, as is a name that `found` does not return.
        """
        return self._worker.submit(self._fill, name, image_file, mask_file).result()

    def _fill(self, name: str, image_file: bytes, mask_file: bytes) -> Filled:
        network = self._network(name)
        pixels = uploads.decode(image_file, "the picture")
        image = arrays.to_tensor(pixels)
        known = arrays.known_pixels(uploads.decode(mask_file, "the mask"), image, "hole-white")
        if known.all() or not known.any():
            what = "no hole" if known.all() else "no known pixel"
            raise UserError(f"the mask has {what}; paint a hole, and leave some of the picture")
        start = time.perf_counter()
        filled = picture.fill_picture(network, image, known, self.device)
        seconds = time.perf_counter() - start
        return Filled(uploads.encode(arrays.into(pixels, filled, known)), seconds)

    def _network(self, name: str) -> nn.Module:
        method = discover().get(name)
        if isinstance(method, Algorithm):
            return method.build(Config("paper").model)
        for run in self._runs():
            if str(run.path) == name and (digest := _weights_sum(run)):
                return _trained(run.path, digest)
        raise UserError(f"there is no method '{name}' any more; load the page again")

    def _runs(self) -> list[Run]:
        """Return the runs of all folders, each once."""
        runs = (run for folder in self.folders for run in runs_at(folder))
        return list({run.path: run for run in runs}.values())


def _weights_sum(run: Run) -> str:
    """Return the digest of a run's weights, empty where nothing was trained."""
    return sums.read(run.path).get(run.weights.name, "")


@lru_cache(KEPT)
def _trained(path: Path, digest: str) -> nn.Module:
    """Return the network of a run; `digest` tells its weights from those of a redo."""
    run = Run(path)
    return network_of(*load_run(run), run)
