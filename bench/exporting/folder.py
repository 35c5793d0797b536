"""The exported folder of a run, in the layout of a Hugging Face model repository."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import __version__
from bench.config import Config
from bench.core.errors import UserError
from bench.core.files import read_json, remove, write_json, write_text, writing
from bench.core.references import attribute_of, module_of
from bench.exporting.card import card
from bench.registry import Method, TrainedNetwork
from bench.runs.identity import fingerprint
from bench.runs.run import Run, of_numbers

WEIGHTS = "model.safetensors"
"""File of the weights; this name and the next two are those that the Hugging Face hub knows."""


def check(run: Run, to: Path) -> None:
    """Raise a `UserError` if a run holds nothing to export, or if the folder is not free."""
    run.require()
    if run.progress != "finished":
        raise UserError(f"{run.path} is {run.progress}, not finished; finish it by `bench run`")
    if not run.trained:
        raise UserError(f"{run.path}: {run.method} is an algorithm and has no weights to export")
    run.check(of_numbers)
    if not run.weights.exists():
        raise UserError(f"{run.path} holds no weights; give the run that trained them")
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise UserError(f"--to {to} exists and is no empty folder; choose another")


def export(run: Run, to: Path, formats: Sequence[str], tables: str) -> Mapping[str, float]:
    """Write the folder, whole or not at all, and return each format's largest difference.

    `tables` is the run's own report in Markdown. The differences are those of the files' outputs
    from the network's, with colours in [0,1].
    """
    from bench.exporting.formats import FORMATS, write
    from bench.runs.experiment import load_run, network_of

    method, config = load_run(run)
    assert isinstance(method, TrainedNetwork)
    network = network_of(method, config, run)
    files = [FORMATS[name].file for name in formats]
    with _whole(to) as folder:
        differences = {name: write(network, name, folder) for name in formats}
        shutil.copyfile(run.weights, folder / WEIGHTS)
        write_json(folder / "config.json", description(run, method, config, files))
        write_text(folder / "README.md", card(run, method, config.model, files, tables))
    return differences


def description(
    run: Run, method: Method, config: Config, files: Sequence[str]
) -> Mapping[str, Any]:
    """Return what `config.json` holds: how to build the network again, and what it takes."""
    return {
        "library": "lbam-bench",
        "version": __version__,
        "commit": read_json(run.environment)["commit"],
        "fingerprint": fingerprint(run.read_identity()),
        "family": method.family,
        "method": method.name,
        "network": f"{module_of(method.network)}:{attribute_of(method.network)}",
        "model": dataclasses.asdict(config.model),
        "inputs": {
            "image": "[B,3,H,W], float32, RGB in [0,1], hole black (0)",
            "mask": "[B,1,H,W], float32, 1 = known, 0 = hole",
            "sides": "H and W are any number from 16 up",
        },
        "outputs": {
            WEIGHTS: "the network's raw output [B,3,H,W]; clip it to [0,1] and composite it: "
            "where(mask > 0.5, image, output)",
            **dict.fromkeys(
                files,
                "the filled image [B,3,H,W] in [0,1]; the model blanks the hole, clips and "
                "composites itself",
            ),
        },
    }


@contextmanager
def _whole(to: Path) -> Iterator[Path]:
    """Yield a temporary folder that takes the place of `to` on success, and goes on failure."""
    temporary = to.with_name(f".{to.name}.{os.getpid()}.tmp")
    try:
        with writing(to):
            temporary.mkdir(parents=True)
            yield temporary
            temporary.rename(to)
    finally:
        if temporary.exists():
            remove(temporary)
