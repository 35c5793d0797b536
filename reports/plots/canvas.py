"""Parts that all plots share: the figure with its title, the legend below it, the three files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.core.files import replacing
from bench.evaluation.metrics.metric import Metric


def axis_label(metric: Metric) -> str:
    """Return a metric's name, unit and direction."""
    return f"{metric.title} ({metric.direction})"


FORMATS: dict[str, dict[str, Any]] = {
    ".png": {},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}
"""File suffixes, each with the metadata to leave out because it differs from day to day."""
FIXED: Any = {"svg.fonttype": "none", "svg.hashsalt": "lbam-bench", "pdf.fonttype": 42}
"""Settings under which text stays text and the same plot is always the same bytes.

PDF fonts of type 42 are TrueType; some publishers reject type 3, matplotlib's default.
"""


def panels(count: int, title: str, width: float = 4.0, height: float = 3.9) -> tuple[
    Figure, list[Axes]
]:  # fmt: skip
    """Return a figure with `count` axes of `width` x `height` inches, at most three in a row."""
    # Four stand two by two: three in a row would leave the fourth alone.
    columns = 2 if count == 4 else min(count, 3)
    rows = -(-count // columns)
    figure = sheet(width * columns, height * rows, title)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in axes[count:]:
        spare.remove()
    for axis in axes[:count]:
        axis.grid(alpha=0.3)
    return figure, list(axes[:count])


def sheet(width: float, height: float, title: str) -> Figure:
    """Return an empty figure of `width` x `height` inches with its title, wrapped to fit."""
    # Unlike pyplot's figures, this one need not be closed and needs no backend.
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(wrapped(title, width), fontsize=10)
    return figure


def wrapped(text: str, width: float) -> str:
    """Return `text` in lines that fit `width` inches at 10 points; its own line breaks stay."""
    # About 12 letters of 10 points fit into an inch.
    return "\n".join(textwrap.fill(line, int(12 * width)) for line in text.splitlines())


def legend(figure: Figure, axes: Iterable[Axes]) -> None:
    """Draw a legend below the axes that names each label once."""
    handles: dict[str, Any] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    column = 0.7 + 0.075 * max(map(len, handles))  # inches of the handle and of 9-point letters
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", frameon=False,
        fontsize=9, handlelength=3.2, ncols=max(1, int(figure.get_figwidth() / column)),
    )  # fmt: skip


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG, SVG and PDF, each whole or not at all.

    The files are `path` with each suffix, or `path` alone if it has one of them.
    """
    alone = path.suffix in FORMATS
    files = [path] if alone else [path.with_name(path.name + suffix) for suffix in FORMATS]
    figure.draw_without_rendering()  # lays out once for all of them
    figure.set_layout_engine("none")
    with mpl.rc_context(FIXED):
        for file in files:
            with replacing(file) as temporary:
                figure.savefig(temporary, dpi=140, metadata=FORMATS[file.suffix])
