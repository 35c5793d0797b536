"""The time and memory of a real report of 3.6 million records from made-up runs."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from bench.config import identity, override, to_dict
from bench.core.files import write_json, write_text
from bench.core.run_folder import RunFolder
from bench.core.seeds import rng
from bench.data.masks.buckets import BUCKETS, bucket_label
from bench.evaluation import records
from bench.presets import preset
from bench.profiling.cost import Memory
from bench.profiling.timing import Row
from bench.registry import discover, reference

METHODS, SEEDS, PAIRS = 10, 3, 12_000
MEASURED = [
    (metric, region)
    for metric in ("psnr", "ssim", "l1_percent")
    for region in ("composite", "raw", "hole")
] + [("lpips_alex", "composite")]
"""Metrics and regions of the records."""
RECORDS = METHODS * SEEDS * PAIRS * len(MEASURED)
Report = Callable[[list[RunFolder], Path], object]
"""Function that writes the report of runs into a folder."""


def reports(write: Report, repeats: int) -> list[Row]:
    """Time all tables, plots and the page of made-up runs, from files to files.

    They are made once, whatever `repeats` is: a report takes long.
    """
    seconds, peak = measure(write)
    memory = "" if peak is None else f", {peak:.0f} MiB at most"
    return [Row(f"report of {RECORDS:,} records{memory}", seconds)]


def measure(write: Report) -> tuple[float, float | None]:
    """Return the seconds and the peak MiB of a report, made in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        runs = [_run(Path(scratch), method, seed) for method in _methods() for seed in range(SEEDS)]
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(_timed, (write, runs, Path(scratch) / "report"))


def _methods() -> list[str]:
    """Return the reference, from which differences are reported, and other methods' names."""
    first = reference().name
    return [first, *(name for name in discover() if name != first)][:METHODS]


def _timed(write: Report, runs: list[RunFolder], out: Path) -> tuple[float, float | None]:
    memory = Memory(torch.device("cpu"))
    start = time.perf_counter()
    write(runs, out)
    return time.perf_counter() - start, memory.peak()


def _run(root: Path, method: str, seed: int) -> RunFolder:
    """Write the folder of a made-up run: all files that a report reads, with random numbers."""
    run, config = RunFolder(root / f"{method}-{seed}"), override(preset("quick"), {"seed": seed})
    records.write(run.records, _records(method, seed))
    write_json(run.config, to_dict(config))
    drawn = {"training images": "none", "test pairs": "none"}
    asked = {"method": method, "code": method, **drawn, **identity(config)}
    write_json(run.identity, asked)
    environment = {"packages": {"torch": "none"}, "device": "none", "commit": ""}
    write_json(run.environment, {**environment, "uncommitted changes": False})
    steps = range(10, 1010, 10)
    write_text(run.log, "step,pixel,total\n" + "".join(f"{s},1,1\n" for s in steps))
    write_text(run.validation, "step,psnr\n" + "".join(f"{s},20\n" for s in steps))
    return run


def _records(method: str, seed: int) -> pd.DataFrame:
    """Draw the records of one run in the order of an evaluation; values fall as holes grow."""
    stream = rng(seed, f"made-up records of {method}")
    # Pair k has the same crop of the same photograph in every bucket, as in real test pairs.
    bucket, crop = np.divmod(np.arange(PAIRS), PAIRS // len(BUCKETS))
    # The ratios are spread over each bucket's (low, high].
    ratio = np.array(BUCKETS)[bucket, 0] + 0.1 * (crop % 100 + 1) / 100
    pairs = pd.DataFrame(
        {"family": "variant", "method": method, "seed": seed, "pair": np.arange(PAIRS),
         "image": [f"Places365_val_{number:08d}" for number in crop], "top": crop % 200,
         "left": crop % 300, "mask": [f"{number:05d}.png" for number in range(PAIRS)],
         "mask_hash": [f"{number:016x}" for number in range(PAIRS)], "ratio": ratio,
         "bucket": [bucket_label(BUCKETS[b]) for b in bucket], "note": "", "metric_version": 1,
         "manifest": "made up", "fingerprint": "made up", "seconds": stream.random(PAIRS)}
    )  # fmt: skip
    measured = pairs.merge(pd.DataFrame(MEASURED, columns=["metric", "region"]), how="cross")
    noise = stream.normal(size=len(measured))
    return measured.assign(value=30 - 20 * measured["ratio"] + noise)
