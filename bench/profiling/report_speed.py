"""How long the report of 300,000 records takes, and how much memory: made-up runs, real reports."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from bench.config import identity, override, to_dict
from bench.core.files import write_json, write_text
from bench.core.seeds import rng
from bench.data.masks.generated import BUCKETS, bucket_label
from bench.evaluation import records
from bench.presets import preset
from bench.profiling.cost import Memory

METHODS = ("full", "unlearned", "forward", "no-gan", "sigmoid", "lrelu", "relu", "3x3", "pconv",
           "global-local")  # fmt: skip
SEEDS, PAIRS = 3, 1000
MEASURED = [
    (metric, region)
    for metric in ("psnr", "ssim", "l1_percent")
    for region in ("composite", "raw", "hole")
] + [("lpips_alex", "composite")]
RECORDS = len(METHODS) * SEEDS * PAIRS * len(MEASURED)


def measure() -> tuple[float, float | None]:
    """Seconds and MiB of all tables and plots, from files to files, in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = [_run(Path(scratch), method, seed) for method in METHODS for seed in range(SEEDS)]
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(_report, (folders, Path(scratch) / "report"))


def _report(folders: list[Path], out: Path) -> tuple[float, float | None]:
    from reports import writing

    memory = Memory(torch.device("cpu"))
    start = time.perf_counter()
    writing.ablation(folders, out)
    return time.perf_counter() - start, memory.peak()


def _run(root: Path, method: str, seed: int) -> Path:
    """The folder of a run that never was: what a report reads of it, with random numbers."""
    folder, config = root / f"{method}-{seed}", override(preset("quick"), {"seed": seed})
    records.write(folder / "records.csv", _records(method, seed))
    write_json(folder / "config.json", to_dict(config))
    asked = {"method": method, "code": method, "training images": "none", **identity(config)}
    write_json(folder / "identity.json", asked)
    environment = {"packages": {"torch": "none"}, "device": "none", "commit": ""}
    write_json(folder / "environment.json", {**environment, "uncommitted changes": False})
    steps = range(10, 1010, 10)
    write_text(folder / "log.csv", "step,pixel,total\n" + "".join(f"{s},1,1\n" for s in steps))
    write_text(folder / "validation.csv", "step,psnr\n" + "".join(f"{s},20\n" for s in steps))
    return folder


def _records(method: str, seed: int) -> pd.DataFrame:
    stream = rng(seed, "made-up records", METHODS.index(method))
    pair = np.arange(PAIRS)
    bucket = pair * len(BUCKETS) // PAIRS
    ratio = np.array(BUCKETS)[bucket, 0] + 0.1 * (pair % 100 + 1) / 100
    same: dict[str, Any] = dict.fromkeys(("image", "mask", "mask_hash", "fingerprint"), "made up")
    same |= {"manifest": "made up", "note": "", "seconds": 0.0}
    same |= dict.fromkeys(("top", "left", "metric_version"), 0)
    frames = [
        pd.DataFrame(
            {"family": "variant", "method": method, "seed": seed, "pair": pair, "ratio": ratio,
             "bucket": [bucket_label(BUCKETS[b]) for b in bucket], "metric": metric,
             "region": region, "value": 30 - 20 * ratio + stream.normal(size=PAIRS)}
        )
        for metric, region in MEASURED
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True).assign(**same)
