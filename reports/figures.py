"""Grids of pictures: input, output, ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from PIL import Image

from bench.files import replacing

mpl.use("Agg")
import matplotlib.pyplot as plt

WIDTH, ROW = 1.75, 1.82
"""Inches of a picture, and of a row with its text."""


def grid(
    pictures: Mapping[str, Path], records: pd.DataFrame, path: Path, per_bucket: int = 2
) -> None:
    """Input, each method's output and the truth, a row per test pair, with bucket and PSNR.

    `pictures` are the folders with the methods' saved pairs; shown are the pairs that all have, the
    first `per_bucket` of each bucket.
    """
    psnr = records[(records["metric"] == "psnr") & (records["region"] == "composite")]
    values = psnr.drop_duplicates(["method", "pair"]).set_index(["method", "pair"])["value"]
    bucket = psnr.drop_duplicates("pair").set_index("pair")["bucket"]
    saved = set.intersection(*map(_saved_pairs, pictures.values()))
    shown = bucket[bucket.index.isin(saved)].sort_index().groupby(bucket, sort=False)
    pairs = sorted(int(pair) for pair in shown.head(per_bucket).index)
    anywhere = next(iter(pictures.values()))
    figure, axes = plt.subplots(
        len(pairs), len(pictures) + 2, layout="constrained", squeeze=False,
        figsize=(WIDTH * (len(pictures) + 2), ROW * len(pairs) + 0.3),
    )  # fmt: skip
    for row, pair in zip(axes, pairs, strict=True):
        _show(row[0], anywhere / f"{pair:05d}_input.png")
        row[0].set_ylabel(bucket[pair], fontsize=8)
        for axis, (method, folder) in zip(row[1:], pictures.items(), strict=False):
            _show(axis, folder / f"{pair:05d}_output.png")
            axis.set_xlabel(f"{values[method, pair]:.2f} dB", fontsize=8)
        _show(row[-1], anywhere / f"{pair:05d}_truth.png")
    for axis, title in zip(axes[0], ["input", *pictures, "ground truth"], strict=True):
        axis.set_title(title, fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=140)
    plt.close(figure)


def _saved_pairs(folder: Path) -> set[int]:
    return {int(p.name.partition("_")[0]) for p in folder.glob("*_output.png")}


def _show(axis: Axes, file: Path) -> None:
    with Image.open(file) as picture:
        axis.imshow(picture)
    axis.set(xticks=[], yticks=[])
