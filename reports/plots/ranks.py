"""Critical-difference diagrams: average ranks, with bars over what cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from bench.evaluation.metrics.metric import find
from reports.analysis.ranks import Ranks
from reports.plots.canvas import save, sheet
from reports.style import colour

ROW = 0.24
"""Inches of a method's row."""


def rank_diagram(found: Sequence[Ranks], title: str, path: Path) -> bool:
    """Draw a critical-difference diagram for each metric (Demšar 2006, figure 1).

    Methods joined by a bar have average ranks closer than the critical difference. Without ranks
    nothing is written.
    """
    if not found:
        return False
    rows = max(len(ranks.ranks) for ranks in found)
    note = "average rank over images, 1 is best; bars join what cannot be told apart (Nemenyi, 5 %)"
    figure = sheet(4.2 * len(found), 1.5 + ROW * rows, f"{title}\n{note}")
    for axis, ranks in zip(figure.subplots(1, len(found), squeeze=False)[0], found, strict=True):
        _diagram(axis, ranks)
    save(figure, path)
    return True


def cliques(ranks: pd.Series[float], difference: float) -> list[tuple[int, int]]:
    """Return the longest stretches (first, last) of sorted ranks within a difference."""
    values = ranks.to_list()
    stretches: list[tuple[int, int]] = []
    for first, low in enumerate(values):
        last = max(i for i, value in enumerate(values) if value - low < difference)
        # A stretch inside the one before says nothing new.
        if last > first and (not stretches or last > stretches[-1][1]):
            stretches.append((first, last))
    return stretches


def _diagram(axis: Axes, found: Ranks) -> None:
    ranks = found.ranks
    for row, (method, rank) in enumerate(ranks.items()):
        axis.plot([rank, rank], [0, row + 1], color=colour(str(method)), linewidth=1)
        axis.plot([rank, len(ranks) + 0.4], [row + 1] * 2, color=colour(str(method)), linewidth=1)
        axis.annotate(
            f"{method} {rank:.2f}", (len(ranks) + 0.5, row + 1), va="center", fontsize=8,
            color=colour(str(method)), annotation_clip=False,
        )  # fmt: skip
    for number, (first, last) in enumerate(cliques(ranks, found.difference)):
        ends = [ranks.iloc[first] - 0.05, ranks.iloc[last] + 0.05]
        height = 0.25 + 0.35 * number
        axis.plot(ends, [height] * 2, color="black", linewidth=3, solid_capstyle="butt")
    axis.plot([1, 1 + found.difference], [-0.7] * 2, color="black", linewidth=1.5, marker="|")
    axis.annotate(f"critical difference {found.difference:.2f}", (1, -0.95), fontsize=7)
    axis.set_title(f"{find(found.metric).label}, {found.images} images", fontsize=9)
    axis.set(xlim=(0.8, len(ranks) + 0.3), ylim=(len(ranks) + 0.6, -1.5), yticks=[])
    axis.set_xticks(range(1, len(ranks) + 1))
    axis.xaxis.tick_top()
    for side in ("left", "right", "bottom"):
        axis.spines[side].set_visible(False)
