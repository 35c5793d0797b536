"""For the tests of the user study: finished runs, a study of them, ballots."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from PIL import ExifTags, Image

from bench.core import sums
from bench.core.files import write_json
from bench.core.run_folder import RunFolder
from bench.evaluation import records
from bench.runs.run import Run
from reports.study.count import ALL
from reports.study.make import make

BUCKETS = ("(0.1, 0.2]", "(0.2, 0.3]", "(0.3, 0.4]", "(0.4, 0.5]")
METHODS = ("full", "pconv", "3x3")
Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def pixels(*coordinates: object, height: int = 12, width: int = 16) -> Pixels:
    seed = sum(ord(c) * 31**i for i, c in enumerate(repr(coordinates)))
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def write_run(
    root: Path,
    method: str,
    seed: int = 0,
    manifest: str = "m1",
    pairs: Sequence[int] = range(24),
    folder: str = "",
    **identity: object,
) -> Run:
    """A finished run whose pictures tell their method in their metadata; six pairs a bucket."""
    run = Run(root / (folder or f"{method}-quick-seed{seed}"))
    write_json(run.identity, {"method": method, "code": method, "test pairs": manifest, **identity})
    write_json(run.state, {"state": "finished", "reason": ""})
    empty = {name: "" if kind == "str" else 0 for name, kind in records.COLUMNS.items()}
    rows = [
        empty
        | {"method": name, "seed": seed, "pair": pair, "bucket": BUCKETS[pair // 6]}
        | {"manifest": manifest, "metric": "psnr", "region": "composite", "value": 20.0}
        for name in (method, "mean-colour")
        for pair in range(24)
    ]
    records.write(run.records, pd.DataFrame(rows))
    run.pictures.own.mkdir(exist_ok=True)
    run.pictures.shared.mkdir(parents=True, exist_ok=True)
    for pair in pairs:
        for what in ("input", "truth"):
            save(run, pair, what, pixels(what, pair), method)
        save(run, pair, "output", pixels(method, seed, pair), method)
    sums.write(run.pictures.shared, run.pictures.shared.glob("*.webp"))
    run.seal()
    return run


def save(run: RunFolder, pair: int, what: str, picture: Pixels, method: str) -> None:
    info = Image.Exif()
    info[ExifTags.Base.ImageDescription] = f"made by {method}"
    Image.fromarray(picture).save(run.pictures.file(pair, what), lossless=True, exif=info)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    root = tmp_path_factory.mktemp("runs")
    return [write_run(root, method) for method in METHODS]


@pytest.fixture(scope="module")
def study(runs: list[RunFolder], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study of 8 questions; tests leave it as it is."""
    to = tmp_path_factory.mktemp("study")
    make(runs, to, METHODS, questions=8, seed=5)
    return to


@pytest.fixture
def key(study: Path, tmp_path: Path) -> Path:
    """The study's key in a folder of the test's own."""
    return Path(shutil.copy(study / "key.json", tmp_path))


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def ballot(key: Path, votes: dict[int, str], minute: int = 0, **changes: object) -> dict[str, Any]:
    """A ballot that votes for these methods, by question."""
    told = read(key)
    answers = [[q, told["questions"][q]["options"].index(m)] for q, m in votes.items()]
    whole = {"study": told["study"], "ballot": str(uuid4()), "voter": "", "answers": answers}
    return whole | {"made": f"2024-05-01T10:{minute:02d}:00.000Z"} | changes


def counted(key: Path) -> dict[str, int]:
    frame = pd.read_csv(key.with_name("votes.csv"))
    return frame[frame["bucket"] == ALL].set_index("method")["votes"].to_dict()
