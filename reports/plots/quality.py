"""Metrics against the mask ratio, and their paired differences from `full`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy import stats

from reports.colours import colour, style
from reports.plots.canvas import METRICS, Metric, legend, panels, save, sheet
from reports.plots.smoothing import local_linear
from reports.summary import UNIT

BANDWIDTH = 0.03
"""Standard deviation of the smoothing kernel, in hole ratio: a third of a bucket."""
MOST_POINTS = 200
"""Single test pairs are drawn up to so many in a panel; more would hide the curves."""
REFERENCE = "full"


def metric_by_bucket(summary: pd.DataFrame, title: str, path: Path) -> bool:
    """One panel per metric on the composite, a line per method, bars for the 95 % interval.

    `summary` has the columns method, metric, region, bucket, mean and half (reports.summary).
    """
    composite = summary[(summary["region"] == "composite") & summary["mean"].notna()]
    shown = _shown(composite)
    if not shown:
        return False
    methods = list(dict.fromkeys(composite["method"]))
    buckets = sorted(set(composite["bucket"]))
    figure, axes = panels(len(shown), title)
    for axis, (name, metric) in zip(axes, shown.items(), strict=True):
        rows = composite[composite["metric"] == name].set_index(["method", "bucket"])
        for number, method in enumerate(methods):
            line = rows.reindex([(method, bucket) for bucket in buckets])
            # A small sideways step keeps the intervals of methods apart.
            step = 0.7 / max(len(methods), 8) * (number - (len(methods) - 1) / 2)
            axis.errorbar(
                np.arange(len(buckets)) + step, line["mean"], line["half"], label=method,
                capsize=2, markersize=5, linewidth=1.2, elinewidth=0.8, **style(method),
            )  # fmt: skip
        axis.set(xticks=range(len(buckets)), xticklabels=buckets)
        axis.set(ylabel=metric.axis_label, xlabel="hole ratio")
    legend(figure, axes)
    save(figure, path)
    return True


def metric_by_ratio(records: pd.DataFrame, title: str, path: Path) -> bool:
    """One panel per metric on the composite: a smooth curve per method over the hole ratio.

    The curves are local linear regressions over test pairs (seeds averaged first) with pointwise
    95 % bands; see `local_linear`. Infinite PSNRs are left out.
    """
    values = composite_per_pair(records)
    shown = _shown(values)
    if not shown:
        return False
    note = (
        f"local linear regression, Gaussian kernel, bandwidth {BANDWIDTH} of hole ratio; "
        "bands: pointwise 95 % (1.96 local standard errors, HC3)"
    )
    figure, axes = panels(len(shown), f"{title}\n{note}")
    for axis, (name, metric) in zip(axes, shown.items(), strict=True):
        _smooth_panel(axis, values[values["metric"] == name])
        axis.set(xlabel="hole ratio", ylabel=metric.axis_label)
    legend(figure, axes)
    save(figure, path)
    return True


def _smooth_panel(axis: Axes, values: pd.DataFrame) -> None:
    grid = np.linspace(values["ratio"].min(), values["ratio"].max(), 101)
    for number, (method, rows) in enumerate(values.groupby("method", sort=False)):
        look = style(str(method))
        ratio, value = rows["ratio"].to_numpy(), rows["value"].to_numpy()
        mean, half = local_linear(ratio, value, grid, BANDWIDTH)
        # Markers of different methods stand at different places of their curves.
        axis.plot(
            grid, mean, label=str(method), markevery=(3 + 2 * number % 20, 20), markersize=5,
            linewidth=1.2, **look,
        )  # fmt: skip
        axis.fill_between(grid, mean - half, mean + half, color=look["color"], alpha=0.08, lw=0)
        if len(values) <= MOST_POINTS:
            axis.scatter(ratio, value, s=8, color=look["color"], alpha=0.3, linewidths=0)


def difference_from_full(records: pd.DataFrame, title: str, path: Path) -> bool:
    """Mean difference from `full` on the same test pairs, per method, bucket and metric.

    Seeds are averaged per pair first; bars are Student's 95 % intervals over pairs. Without `full`
    or another method beside it nothing is written.
    """
    values = composite_per_pair(records)
    differences = paired_differences(values)
    shown = _shown(differences)
    if not shown:
        return False
    methods = [m for m in dict.fromkeys(values["method"]) if m != REFERENCE]
    buckets = sorted(set(differences["bucket"]))
    note = (
        "mean paired difference from full, 95 % intervals over test pairs, "
        "each for itself (not adjusted for their number)"
    )
    height = 1.6 + 0.14 * len(methods) * (len(buckets) + 1)
    figure = sheet(2.2 + 3.0 * len(shown), height, f"{title}\n{note}")
    axes = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axis, (name, metric) in zip(axes, shown.items(), strict=True):
        rows = differences[differences["metric"] == name].set_index(["method", "bucket"])
        for number, method in enumerate(methods):
            places = number * (len(buckets) + 1) + np.arange(len(buckets))
            dots = rows.reindex([(method, bucket) for bucket in buckets])
            look = style(method) | {"linestyle": "none"}
            axis.errorbar(
                dots["mean"], places, xerr=dots["half"], capsize=2, markersize=4.5,
                elinewidth=1, **look,
            )  # fmt: skip
        _finish_differences(axis, metric, methods, len(buckets))
    _label_rows(axes[0], methods, buckets)
    save(figure, path)
    return True


def composite_per_pair(records: pd.DataFrame) -> pd.DataFrame:
    """Finite values on the composite, one row per method, metric and test pair, over its seeds.

    Columns: method, metric, bucket, manifest, pair, ratio, value, in the order of appearance.
    """
    chosen = records["metric"].isin(list(METRICS)) & (records["region"] == "composite")
    finite = records[chosen & np.isfinite(records["value"])].drop_duplicates(UNIT)
    keys = ["method", "metric", "bucket", "manifest", "pair"]
    grouped = finite.groupby(keys, sort=False)
    pairs: pd.DataFrame = grouped.agg(ratio=("ratio", "first"), value=("value", "mean"))
    return pairs.reset_index()


def paired_differences(values: pd.DataFrame) -> pd.DataFrame:
    """Each method minus `full` over the pairs that both have, from `composite_per_pair`.

    Columns: metric, bucket, method, mean, half (of Student's 95 % interval; NaN for one pair), n;
    empty without `full`.
    """
    wide = values.pivot(
        index=["metric", "bucket", "manifest", "pair"], columns="method", values="value"
    )
    reference = wide.get(REFERENCE, pd.Series(np.nan, wide.index))
    others = wide.drop(columns=REFERENCE, errors="ignore").sub(reference, axis=0)
    long = others.melt(ignore_index=False, value_name="difference").dropna().reset_index()
    result = long.groupby(["metric", "bucket", "method"], sort=False)["difference"].agg(
        mean="mean", error="sem", n="count"
    )
    quantile = stats.t.ppf(0.975, np.maximum(result["n"] - 1, 1))
    result["half"] = quantile * result["error"]
    return result.drop(columns="error").reset_index()


def _shown(frame: pd.DataFrame) -> dict[str, Metric]:
    """The metrics that have rows."""
    measured = set(frame["metric"])
    return {name: metric for name, metric in METRICS.items() if name in measured}


def _finish_differences(axis: Axes, metric: Metric, methods: list[str], buckets: int) -> None:
    axis.axvline(0, color="black", linewidth=0.8)
    axis.grid(axis="x", alpha=0.3)
    for number in range(0, len(methods), 2):  # every other method on gray
        first = number * (buckets + 1)
        axis.axhspan(first - 1, first + buckets, color="black", alpha=0.04, linewidth=0)
    axis.set_ylim(len(methods) * (buckets + 1) - 1, -1)
    axis.set_xlabel(f"{metric.label}: method − full", fontsize=9)
    ends = ("worse", "better") if metric.higher_is_better else ("better", "worse")
    axis.set_title(f"← {ends[0]} than full", loc="left", fontsize=8)
    axis.set_title(f"{ends[1]} than full →", loc="right", fontsize=8)
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.tick_params(axis="x", labelsize=8)
    axis.tick_params(axis="y", which="both", length=0)


def _label_rows(axis: Axes, methods: list[str], buckets: list[str]) -> None:
    """Buckets at every row, the method's name beside its group."""
    size = len(buckets) + 1
    groups = size * np.arange(len(methods))
    rows = [first + number for first in groups for number in range(len(buckets))]
    axis.yaxis.remove_overlapping_locs = False
    axis.set_yticks(rows, buckets * len(methods), minor=True, fontsize=6)
    axis.set_yticks(groups + (size - 2) / 2, methods, fontsize=9)
    axis.tick_params(axis="y", which="major", pad=52)
    for label, method in zip(axis.get_yticklabels(), methods, strict=True):
        label.set_color(colour(method))
