"""Quality against what a method costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, Formatter, LogLocator, NullLocator, StrMethodFormatter
from numpy.typing import NDArray

from bench.evaluation.metrics.metric import find
from reports.analysis.summary import interval_note
from reports.analysis.units import ALL
from reports.plots.canvas import axis_label, save, sheet
from reports.style import colour, style

LABEL_GAP = 0.05
"""Smallest distance between the labels of two points, as a fraction of the axes' height."""


def quality_by_cost(
    summary: pd.DataFrame, costs: Sequence[Mapping[str, Any]], title: str, path: Path
) -> bool:
    """Draw PSNR against ms per image and against parameters, a labelled point per method.

    `summary` is the table of `reports.analysis.summary.summarise`. `costs` are the costs of the
    runs (method, parameters, milliseconds, device, size), equal for all seeds. Methods without
    parameters have a panel of their own. Methods without a cost are left out. Return whether any
    method is left; if not, nothing is written.
    """
    price = {str(cost["method"]): cost for cost in costs}
    overall = (summary["bucket"] == ALL) & (summary["metric"] == "psnr") & (summary["n"] > 0)
    psnr = summary[overall & (summary["region"] == "composite")]
    quality = psnr[psnr["method"].isin(list(price))].set_index("method")
    if quality.empty:
        return False
    note = f"PSNR over all buckets. {interval_note(quality)}"
    figure, axes = _axes(
        f"{title}\n{note}", [bool(price[str(m)]["parameters"]) for m in quality.index]
    )
    first, size = axes["milliseconds"], next(iter(price.values()))["size"]
    devices = ", ".join(dict.fromkeys(str(cost["device"]) for cost in price.values()))
    first.set(ylabel=axis_label(find("psnr")))
    first.set_xlabel(f"ms per {size}x{size} image ({devices})")
    _points(first, quality, [price[str(m)]["milliseconds"] for m in quality.index])
    _logarithmic(first, StrMethodFormatter("{x:g}"))
    learned = quality[[bool(price[str(m)]["parameters"]) for m in quality.index]]
    if "none" in axes:
        others = quality.drop(learned.index)
        # Places across this panel mean nothing: they only keep the points apart.
        _points(axes["none"], others, list(np.linspace(-1, 1, len(others) + 2)[1:-1]))
        axes["none"].set(xlim=(-1, 1), xticks=[], xlabel="no parameters")
    if "parameters" in axes:
        _points(axes["parameters"], learned, [price[str(m)]["parameters"] for m in learned.index])
        axes["parameters"].set(xlabel="learned parameters")
        _logarithmic(axes["parameters"], EngFormatter(sep=""))
    save(figure, path)
    return True


def spread(values: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Return places in [0, 1] near the `values` [n], in their order.

    They are at least `gap` apart if n places fit so.
    """
    order = np.argsort(values, kind="stable")
    steps = gap * np.arange(len(values))
    # Push each value up to `gap` above the one below it, then all back below 1.
    upwards = np.maximum.accumulate(values[order] - steps) + steps
    places = np.empty(len(values))
    places[order] = np.minimum(upwards, 1 - steps[::-1])
    return places


def _axes(title: str, learned: Sequence[bool]) -> tuple[Figure, dict[str, Axes]]:
    """Return the panels that there are methods for, by name.

    The panel of methods without parameters, `none`, is narrow. `learned` tells for each method
    whether it has parameters.
    """
    widths = {"milliseconds": 4.0}
    widths |= {} if all(learned) else {"none": 1.2}
    widths |= {"parameters": 4.0} if any(learned) else {}
    figure = sheet(sum(widths.values()) + 1.6 * len(widths), 4.6, title)
    axes = figure.subplots(
        1, len(widths), sharey=True, squeeze=False, width_ratios=list(widths.values())
    )[0]
    for axis in axes:
        axis.grid(alpha=0.3)
    return figure, dict(zip(widths, axes, strict=True))


def _points(axis: Axes, quality: pd.DataFrame, costs: Sequence[float]) -> None:
    """Draw a point with its interval per method; the names stand in a column to the right."""
    for (method, row), cost in zip(quality.iterrows(), costs, strict=True):
        look = style(str(method)) | {"linestyle": "none"}
        axis.errorbar(cost, row["mean"], row["half"], capsize=3, elinewidth=1, **look)
    # The first panel drawn has all points, so the limits, which all panels share, are final.
    low, high = axis.get_ylim()
    heights = spread((quality["mean"].to_numpy() - low) / (high - low), LABEL_GAP)
    for (method, row), cost, height in zip(quality.iterrows(), costs, heights, strict=True):
        axis.annotate(
            str(method), (cost, row["mean"]), xytext=(1.03, height), textcoords="axes fraction",
            color=colour(str(method)), fontsize=8, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": "gray", "linewidth": 0.5, "alpha": 0.6},
        )  # fmt: skip


def _logarithmic(axis: Axes, formatter: Formatter) -> None:
    """Set a log scale with ticks at 1, 2 and 5 times powers of ten."""
    low, high = axis.dataLim.intervalx
    # 1.6 squared is more than 2.5, the largest step between ticks: even one point gets a tick.
    axis.set(xscale="log", xlim=(low / 1.6, high * 1.6))
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
    axis.xaxis.set_major_formatter(formatter)
    axis.xaxis.set_minor_locator(NullLocator())
