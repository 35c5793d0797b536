"""The attention functions that LBAM learned."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from bench.core.errors import UserError
from reports.plots.canvas import legend, save, sheet
from reports.style import colour

SYMBOLS = {"a": "a", "mu": "μ", "gamma_left": "γl", "gamma_right": "γr"}
"""Parameters of gA, and their symbols in equation 9."""
COLUMN = re.compile(r"(mask_branch|reverse_branch)\.levels\.(\d+)\.attention\.\w+")
"""Name of a logged parameter, with its branch and its level."""
NAMES = {"mask_branch": "forward", "reverse_branch": "reverse"}
"""Branches in the order of the rows, and their names in the titles."""
MASK = np.linspace(0.0, 4.0, 201)
"""Values of the convolved mask Mc at which the curves are drawn."""


def attention_curves(scalars: pd.DataFrame, title: str, path: Path) -> bool:
    """Draw gA of equation 9 for each layer of both mask branches, at the first and last step.

    `scalars` has one row per logged step and columns such as `mask_branch.levels.0.attention.a`,
    `.mu`, `.gamma_left` and `.gamma_right`. They hold the values that the network uses, within
    their limits. Return whether there are such columns; without them nothing is written. Raise
    UserError if a layer lacks one of its four columns.
    """
    layers = _layers(scalars)
    if not layers:
        return False
    branches = [branch for branch in NAMES if branch in layers]
    columns = max(map(len, layers.values()))
    figure = sheet(max(1.75 * columns, 6.0), 2.3 * len(branches) + 0.7, title)
    axes = figure.subplots(len(branches), columns, sharex=True, sharey=True, squeeze=False)
    for row, branch in zip(axes, branches, strict=True):
        # A branch may have fewer levels than the other; its spare panels are removed below.
        for axis, level in zip(row, layers[branch], strict=False):
            _panel(axis, scalars, f"{branch}.levels.{level}.attention")
            axis.set_title(f"{NAMES[branch]}, level {level + 1}\n{axis.get_title()}", fontsize=7)
        for spare in row[len(layers[branch]) :]:
            spare.remove()
        row[0].set_ylabel("attention gA(Mc)", fontsize=8)
    legend(figure, [axes[0, 0]])  # all panels have the same two lines
    save(figure, path)
    return True


def g_a(
    x: NDArray[np.float64], a: float, mu: float, gamma_left: float, gamma_right: float
) -> NDArray[np.float64]:
    """Return gA of equation 9 at the convolved masks `x` [n].

    It is a·exp(-γl(x-μ)²) left of μ, and 1 + (a-1)·exp(-γr(x-μ)²) from μ on.
    """
    left = a * np.exp(-gamma_left * (x - mu) ** 2)
    right = 1 + (a - 1) * np.exp(-gamma_right * (x - mu) ** 2)
    return np.where(x < mu, left, right)


def _layers(scalars: pd.DataFrame) -> dict[str, list[int]]:
    """Return the levels of each branch that have columns, outermost first."""
    found = {match.groups() for match in map(COLUMN.fullmatch, scalars.columns) if match}
    layers: dict[str, list[int]] = {}
    # By number: as a text, level 10 would come before level 2.
    for branch, level in sorted(found, key=lambda f: int(f[1])):
        layers.setdefault(branch, []).append(int(level))
    return layers


def _panel(axis: Axes, scalars: pd.DataFrame, layer: str) -> None:
    columns = [f"{layer}.{name}" for name in SYMBOLS]
    missing = [name for name in columns if name not in scalars]
    if missing:
        raise UserError(f"the logged scalars lack the column '{missing[0]}'")
    start, end = (scalars[columns].iloc[row].tolist() for row in (0, -1))
    first, last = (scalars["step"].iloc[row] for row in (0, -1))
    axis.plot(MASK, g_a(MASK, *start), color="gray", linestyle="--", label=f"step {first}")
    axis.plot(MASK, g_a(MASK, *end), color=colour("full"), label=f"step {last}")
    values = [f"{s} {v:.2f}→{w:.2f}" for s, v, w in zip(SYMBOLS.values(), start, end, strict=True)]
    axis.set_title("  ".join(values[:2]) + "\n" + "  ".join(values[2:]))
    axis.set_xlabel("convolved mask Mc", fontsize=7)
    axis.tick_params(labelsize=7, labelbottom=True)
    axis.grid(alpha=0.3)
