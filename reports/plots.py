"""Plots of metrics against the mask-ratio bucket."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

from bench.files import replacing

mpl.use("Agg")
import matplotlib.pyplot as plt

# Okabe and Ito's colours, told apart by colour-blind readers; their yellow, faint on white, and
# the missing ninth are a wine red and a gray.
PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#882255",
    "#999999",
)
MARKERS = "osD^vP*X<>"
PANELS = (
    ("psnr", "PSNR, dB (higher is better)"),
    ("ssim", "SSIM (higher is better)"),
    ("l1_percent", "mean L1, % (lower is better)"),
)

NO_TERMS = ("step", "images_per_s", "critic", "penalty", "real", "fake", "discriminator", "total")
"""Columns of the log that are no terms of a generator's loss."""


def metric_by_bucket(summary: pd.DataFrame, title: str, path: Path) -> None:
    """One panel per metric on the composite, a line per method, bars for the 95 % interval."""
    composite = summary[summary["region"] == "composite"]
    methods = list(dict.fromkeys(composite["method"]))
    buckets = list(dict.fromkeys(composite["bucket"]))
    figure, axes = plt.subplots(1, len(PANELS), figsize=(12, 4.2), layout="constrained")
    for axis, (metric, label) in zip(axes, PANELS, strict=True):
        for number, method in enumerate(methods):
            chosen = (composite["metric"] == metric) & (composite["method"] == method)
            rows = composite[chosen].set_index("bucket").reindex(buckets)
            # A small sideways step keeps the intervals of methods apart.
            place = np.arange(len(buckets)) + 0.06 * (number - (len(methods) - 1) / 2)
            axis.errorbar(
                place, rows["mean"], rows["half"], label=method, capsize=3, markersize=5,
                color=PALETTE[number % len(PALETTE)], marker=MARKERS[number % len(MARKERS)],
                linestyle="-" if number < len(PALETTE) else "--",
            )  # fmt: skip
        axis.set(xticks=range(len(buckets)), xticklabels=buckets, ylabel=label, xlabel="hole ratio")
        axis.grid(alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(9, len(labels)), frameon=False
    )
    figure.suptitle(title, fontsize=10)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=140)
    plt.close(figure)


def training_curves(losses: pd.DataFrame, validation: pd.DataFrame, title: str, path: Path) -> None:
    """The generator's loss terms by step, and the validation PSNR, from a run's two logs."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    terms = [name for name in losses if name not in NO_TERMS]
    for name, colour in zip(terms, PALETTE, strict=False):
        left.plot(losses["step"], losses[name].abs(), label=name, color=colour)
    left.set(yscale="log", xlabel="step", ylabel="unweighted loss term (magnitude)")
    left.legend(fontsize=7, frameon=False)
    right.plot(validation["step"], validation["psnr"], color=PALETTE[0], marker="o", markersize=4)
    right.set(xlabel="step", ylabel="validation PSNR, dB (composite)")
    for axis in (left, right):
        axis.grid(alpha=0.3)
    figure.suptitle(title, fontsize=10)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=140)
    plt.close(figure)
