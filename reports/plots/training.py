"""Losses and validation PSNR by training step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from reports.plots.canvas import legend, panels, save
from reports.style import OTHER_COLOURS, style

NO_TERMS = ("step", "images_per_s", "critic", "penalty", "real", "fake", "discriminator", "total")
"""Columns of the log that are not terms of a generator's loss."""
MOST_PLACES = 100
"""Largest number of points of a drawn curve.

Longer curves are averaged over equal stretches of log entries, since more cannot be seen.
"""

Run = tuple[pd.DataFrame, pd.DataFrame]
"""A run's log (step, loss terms, total) and its validation (step, psnr)."""


def training_curves(losses: pd.DataFrame, validation: pd.DataFrame, title: str, path: Path) -> bool:
    """Draw one run's generator loss terms and its validation PSNR by step.

    `losses` and `validation` are the two tables of `Run`.
    """
    figure, (left, right) = panels(2, title, width=4.6, height=3.4)
    terms = _terms(losses)
    # Terms are not methods, so their lines do not have the methods' markers.
    for number, name in enumerate(terms):
        # An adversarial term may be negative, which a log scale cannot show.
        curve = _thinned(losses.set_index("step")[name].abs())
        left.plot(
            curve.index, curve, label=name, color=OTHER_COLOURS[number % len(OTHER_COLOURS)],
            linestyle=("-", "--", "-.", ":")[number % 4], linewidth=1.2,
        )  # fmt: skip
    left.set(ylabel="unweighted loss term (magnitude)", xlabel=_step_label([losses]))
    _logarithmic(left)
    if terms:
        legend(figure, [left])
    right.plot(validation["step"], validation["psnr"], color="black", marker="o", markersize=4)
    right.set(ylabel="validation PSNR, dB (composite)", xlabel="step")
    save(figure, path)
    return True


def training_by_method(runs: Mapping[str, Sequence[Run]], title: str, path: Path) -> bool:
    """Draw validation PSNR and a loss by step, a line per method with one run per seed.

    The loss is the first term other than the adversarial one that all logs have. Methods that
    share none are shown with their own totals, which cannot be compared between methods; the log
    scale leaves out totals that are not positive. Several seeds are drawn as their mean, over the
    steps that all of them have, with a thin line for each seed. Return whether there is a run; if
    not, nothing is written.
    """
    if not any(runs.values()):
        return False
    logs = [log for group in runs.values() for log, _ in group]
    # Each critic has its own scale, so adversarial terms cannot be compared between methods.
    terms = [name for name in _terms(logs[0]) if name != "adversarial"]
    shared = [name for name in terms if all(name in log for log in logs)]
    loss = shared[0] if shared else "total"
    figure, (left, right) = panels(2, title, width=5.5, height=4.2)
    for number, (method, group) in enumerate(runs.items()):
        psnr = [validation.set_index("step")["psnr"] for _, validation in group]
        _lines(left, method, psnr, number)
        _lines(right, method, [log.set_index("step")[loss] for log, _ in group], number)
    left.set(
        ylabel="validation PSNR, dB (composite)",
        xlabel=_step_label([validation for group in runs.values() for _, validation in group]),
    )
    right.set(ylabel=_loss_label(loss), xlabel=_step_label(logs))
    _logarithmic(right)
    legend(figure, [left])
    save(figure, path)
    return True


def _logarithmic(axis: Axes) -> None:
    """Set a log scale with ticks at 1, 2 and 5 times powers of ten.

    Labels are plain numbers: to lay out exponents takes half a second.
    """
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.yaxis.set_minor_locator(NullLocator())


def _terms(losses: pd.DataFrame) -> list[str]:
    return [str(name) for name in losses if name not in NO_TERMS]


def _lines(axis: Axes, method: str, seeds: Sequence[pd.Series[float]], number: int) -> None:
    """Draw the mean over seeds, and a thin line for each seed if there are several."""
    look = style(method)
    if len(seeds) > 1:
        for seed in seeds:
            curve = _thinned(seed)
            axis.plot(curve.index, curve, color=look["color"], linewidth=0.5, alpha=0.5)
    # Only steps that all seeds logged: elsewhere the mean would be over fewer seeds and jump.
    mean = pd.concat(seeds, axis=1, join="inner").mean(axis=1, skipna=False)
    curve = _thinned(mean)
    # About six markers a line, at different places for different methods.
    every = max(1, len(curve) // 6)
    axis.plot(
        curve.index, curve, label=method, linewidth=1.3, markersize=5,
        markevery=(number % every, every), **look,
    )  # fmt: skip


def _thinned(curve: pd.Series[float]) -> pd.Series[float]:
    """Return a curve by step as means over at most `MOST_PLACES` stretches of it."""
    if len(curve) <= MOST_PLACES:
        return curve
    stretch = np.arange(len(curve)) * MOST_PLACES // len(curve)
    means = curve.reset_index().groupby(stretch).mean()
    return means.set_index("step").iloc[:, 0]


def _loss_label(loss: str) -> str:
    if loss == "total":
        return "generator's total loss\n(each method's own terms: not comparable)"
    return f"loss term '{loss}', unweighted,\nas each method defines it"


def _step_label(frames: Sequence[pd.DataFrame]) -> str:
    """Return the label of the steps, which tells over how many log entries curves are averaged."""
    longest = -(-max(map(len, frames)) // MOST_PLACES)
    return "step" if longest == 1 else f"step (means of up to {longest} log entries)"
