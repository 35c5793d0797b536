"""Grids of pictures: input, output, ground truth."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from PIL import Image

from bench.files import replacing

mpl.use("Agg")
import matplotlib.pyplot as plt

COLUMNS = ("input", "output", "truth")


def grid(pictures: Path, records: pd.DataFrame, method: str, path: Path) -> None:
    """Input, output and truth of each saved test pair, a row per pair, with its bucket and PSNR."""
    chosen = (records["method"] == method) & (records["metric"] == "psnr")
    psnr = records[chosen & (records["region"] == "composite")].set_index("pair")
    saved = [int(p.name.partition("_")[0]) for p in sorted(pictures.glob("*_output.png"))]
    shown = [pair for pair in saved if pair in psnr.index]
    figure, axes = plt.subplots(
        len(shown), len(COLUMNS), figsize=(5.4, 1.75 * len(shown) + 0.4), layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for row, pair in zip(axes, shown, strict=True):
        for axis, column in zip(row, COLUMNS, strict=True):
            with Image.open(pictures / f"{pair:05d}_{column}.png") as picture:
                axis.imshow(picture)
            axis.set(xticks=[], yticks=[])
        record = psnr.loc[pair]
        row[0].set_ylabel(str(record["bucket"]), fontsize=8)
        row[1].set_xlabel(f"{record['value']:.2f} dB", fontsize=8)
    for axis, column in zip(axes[0], ("input", method, "ground truth"), strict=True):
        axis.set_title(column, fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=140)
    plt.close(figure)
