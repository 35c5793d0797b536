"""Metrics against the mask ratio, and their paired differences from the reference."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bench.evaluation.metrics.metric import Metric, headline_metrics
from reports.analysis.quality import SMOOTHING_NOTE, Curve
from reports.analysis.units import ALL
from reports.plots.canvas import axis_label, legend, panels, save, sheet
from reports.style import colour, style

MOST_POINTS = 200
"""Largest number of points, over all methods, that a panel shows; more would hide the curves."""


def metric_by_bucket(summary: pd.DataFrame, title: str, path: Path) -> bool:
    """Draw one panel per metric on the composite: a line per method, with 95 % intervals.

    `summary` is the table of `reports.analysis.summary.summarise`.
    """
    composite = summary[(summary["region"] == "composite") & summary["mean"].notna()]
    composite = composite[composite["bucket"] != ALL]
    shown = _shown(set(composite["metric"]))
    if not shown:
        return False
    methods = list(dict.fromkeys(composite["method"]))
    buckets = sorted(set(composite["bucket"]))
    figure, axes = panels(len(shown), title)
    for axis, metric in zip(axes, shown, strict=True):
        rows = composite[composite["metric"] == metric.name].set_index(["method", "bucket"])
        for number, method in enumerate(methods):
            line = rows.reindex([(method, bucket) for bucket in buckets])
            # A small sideways step keeps the intervals of methods apart.
            step = 0.7 / max(len(methods), 8) * (number - (len(methods) - 1) / 2)
            axis.errorbar(
                np.arange(len(buckets)) + step, line["mean"], line["half"], label=method,
                capsize=2, markersize=5, linewidth=1.2, elinewidth=0.8, **style(method),
            )  # fmt: skip
        axis.set(xticks=range(len(buckets)), xticklabels=buckets)
        axis.set(ylabel=axis_label(metric), xlabel="hole ratio")
    legend(figure, axes)
    save(figure, path)
    return True


def metric_by_ratio(curves: Sequence[Curve], title: str, path: Path) -> bool:
    """Draw one panel per metric: a smooth curve with its band per method, over the hole ratio.

    `curves` are those of `reports.analysis.quality.smooth_curves`. Single test pairs are shown as
    points where a panel has at most `MOST_POINTS` of them.
    """
    shown = _shown({curve.metric for curve in curves})
    if not shown:
        return False
    figure, axes = panels(len(shown), f"{title}\n{SMOOTHING_NOTE}")
    for axis, metric in zip(axes, shown, strict=True):
        _smooth_panel(axis, [curve for curve in curves if curve.metric == metric.name])
        axis.set(xlabel="hole ratio", ylabel=axis_label(metric))
    legend(figure, axes)
    save(figure, path)
    return True


def _smooth_panel(axis: Axes, curves: Sequence[Curve]) -> None:
    few = sum(len(curve.points) for curve in curves) <= MOST_POINTS
    for number, curve in enumerate(curves):
        look = style(curve.method)
        # Markers of different methods stand at different places of their curves.
        axis.plot(
            curve.ratio, curve.mean, label=curve.method, markevery=(3 + 2 * number % 20, 20),
            markersize=5, linewidth=1.2, **look,
        )  # fmt: skip
        low, high = curve.mean - curve.half, curve.mean + curve.half
        axis.fill_between(curve.ratio, low, high, color=look["color"], alpha=0.08, lw=0)
        if few:
            points = curve.points["ratio"], curve.points["value"]
            axis.scatter(*points, s=8, color=look["color"], alpha=0.3, linewidths=0)


def difference(compared: pd.DataFrame, reference: str, title: str, path: Path) -> bool:
    """Draw the mean difference from the reference per method, bucket and metric, with intervals.

    `compared` is the table of `reports.analysis.differences.paired`, which the printed tables show
    too. Return whether it has a comparison on the composite; if not, nothing is written.
    """
    rows = compared[(compared["region"] == "composite") & (compared["bucket"] != ALL)]
    rows = rows[rows["difference"].notna()]
    shown = _shown(set(rows["metric"]))
    if not shown:
        return False
    methods = list(dict.fromkeys(compared["method"]))
    buckets = sorted(set(rows["bucket"]))
    note = (
        f"mean difference from {reference} with 95 % intervals, each on its own (not adjusted for "
        "multiple comparisons)"
    )
    height = 1.6 + 0.14 * len(methods) * (len(buckets) + 1)
    figure = sheet(2.2 + 3.0 * len(shown), height, f"{title}\n{note}")
    axes = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axis, metric in zip(axes, shown, strict=True):
        own = rows[rows["metric"] == metric.name]
        _difference_panel(axis, own, metric, reference, methods, buckets)
    _label_rows(axes[0], methods, buckets)
    save(figure, path)
    return True


def _difference_panel(
    axis: Axes,
    rows: pd.DataFrame,
    metric: Metric,
    reference: str,
    methods: Sequence[str],
    buckets: Sequence[str],
) -> None:
    """Draw one metric's differences from top to bottom: a row per method and bucket."""
    own = rows.set_index(["method", "bucket"])
    size = len(buckets) + 1  # an empty row separates the methods
    for number, method in enumerate(methods):
        places = number * size + np.arange(len(buckets))
        dots = own.reindex([(method, bucket) for bucket in buckets])
        ends = np.stack([dots["difference"] - dots["low"], dots["high"] - dots["difference"]])
        look = style(method) | {"linestyle": "none"}
        axis.errorbar(
            dots["difference"], places, xerr=ends, capsize=2, markersize=4.5, elinewidth=1, **look
        )
    axis.axvline(0, color="black", linewidth=0.8)
    axis.grid(axis="x", alpha=0.3)
    for first in range(0, len(methods) * size, 2 * size):  # every other method on gray
        axis.axhspan(first - 1, first + size - 1, color="black", alpha=0.04, linewidth=0)
    axis.set_ylim(len(methods) * size - 1, -1)
    axis.set_xlabel(f"{metric.title}: method − {reference}", fontsize=9)
    sides = ("worse", "better") if metric.higher_is_better else ("better", "worse")
    axis.set_title(f"← {sides[0]} than {reference}", loc="left", fontsize=8)
    axis.set_title(f"{sides[1]} than {reference} →", loc="right", fontsize=8)
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.tick_params(axis="x", labelsize=8)
    axis.tick_params(axis="y", which="both", length=0)


def _shown(measured: Collection[str]) -> list[Metric]:
    """Return the metrics that have rows, in their order."""
    return [metric for metric in headline_metrics() if metric.name in measured]


def _label_rows(axis: Axes, methods: list[str], buckets: list[str]) -> None:
    """Label each row with its bucket, and each group of rows with its method."""
    size = len(buckets) + 1
    groups = size * np.arange(len(methods))
    rows = [first + number for first in groups for number in range(len(buckets))]
    # A method's label may stand at the same height as a bucket's, which matplotlib would drop.
    axis.yaxis.remove_overlapping_locs = False
    axis.set_yticks(rows, buckets * len(methods), minor=True, fontsize=6)
    axis.set_yticks(groups + (size - 2) / 2, methods, fontsize=9)
    axis.tick_params(axis="y", which="major", pad=52)  # points: leaves room for the buckets
    for label, method in zip(axis.get_yticklabels(), methods, strict=True):
        label.set_color(colour(method))
