"""Plots of cost, training and attention."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.core.errors import UserError
from reports import plots
from reports.analysis.summary import summarise
from reports.plots import training
from reports.plots.cost import spread
from tests.reports.plots.conftest import (
    COSTS,
    LOG,
    SCALARS,
    VALIDATION,
    lines,
    sample,
)


def test_quality_stands_against_time_and_parameters(figures: list[Figure]) -> None:
    records = sample({"full": 2, "forward": 1, "telea": 1, "no-cost": 1})
    assert plots.quality_by_cost(summarise(records), [*COSTS, COSTS[0]], "title", Path("x"))
    time, none, parameters = figures[0].axes
    psnr = records[records["metric"] == "psnr"]
    means = psnr.groupby(["method", "bucket"])["value"].mean().groupby("method").mean()

    def points(axis: Axes) -> list[tuple[float, float]]:
        data = [c.lines[0].get_data() for c in axis.containers]
        return [(float(x[0]), float(y[0])) for x, y in data]

    assert points(time) == [(c["milliseconds"], pytest.approx(means[c["method"]])) for c in COSTS]
    assert points(parameters) == [
        (c["parameters"], pytest.approx(means[c["method"]])) for c in COSTS[:2]
    ]
    assert [y for _, y in points(none)] == [pytest.approx(means["telea"])]
    assert [t.get_text() for t in time.texts] == ["full", "forward", "telea"]
    assert [t.get_text() for t in none.texts] == ["telea"]
    assert (time.get_xscale(), parameters.get_xscale()) == ("log", "log")
    assert "256x256" in time.get_xlabel() and "CPU" in time.get_xlabel()


def test_quality_of_methods_without_parameters_alone_has_no_axis_for_them(
    figures: list[Figure],
) -> None:
    plots.quality_by_cost(summarise(sample({"telea": 1})), COSTS, "title", Path("x"))
    plots.quality_by_cost(summarise(sample({"full": 1})), COSTS, "title", Path("x"))
    labels = [[a.get_xlabel() for a in figure.axes] for figure in figures]
    assert labels[0][1:] == ["no parameters"]
    assert labels[1][1:] == ["learned parameters"]


def test_labels_are_spread_apart_in_their_order() -> None:
    assert spread(np.array([0.5, 0.1, 0.9]), 0.05).tolist() == [0.5, 0.1, 0.9]
    values = np.array([0.99, 0.5, 0.98, 0.51, 0.97])
    places = spread(values, 0.05)
    assert np.argsort(places).tolist() == np.argsort(values).tolist()
    assert np.diff(np.sort(places)).min() >= 0.05 - 1e-9
    assert places.max() <= 1


def test_training_shows_each_seed_thinly_and_their_mean(figures: list[Figure]) -> None:
    other = VALIDATION.assign(psnr=[22.0, 26.0])
    longer = pd.concat([other, pd.DataFrame({"step": [45], "psnr": [30.0]})])
    runs = {"full": [(LOG, VALIDATION), (LOG * 3, longer)], "relu": [(LOG, VALIDATION)]}
    # Steps are shared, values are not.
    runs["full"][1][0]["step"] = LOG["step"]
    plots.training_by_method(runs, "title", Path("x"))
    psnr, loss = figures[0].axes
    assert lines(psnr)["full"].tolist() == [[15, 30], [21, 24]]  # steps that both have
    assert lines(psnr)["relu"].tolist() == [[15, 30], [20, 22]]
    thin = [line for line in psnr.lines if line.get_label().startswith("_")]
    assert [line.get_ydata().tolist() for line in thin] == [[20, 22], [22, 26, 30]]
    assert lines(loss)["full"][1] == pytest.approx([0.6, 0.4, 0.2])  # pixel, the first shared
    assert "pixel" in loss.get_ylabel()
    assert loss.get_yscale() == "log"


def test_methods_that_share_no_term_show_their_totals(figures: list[Figure]) -> None:
    other = LOG[["step", "adversarial", "total"]].assign(hole=1.0)
    plots.training_by_method(
        {"full": [(LOG, VALIDATION)], "pconv": [(other, VALIDATION)]}, "title", Path("x")
    )
    loss = figures[0].axes[1]
    assert lines(loss)["pconv"][1].tolist() == [3, 2, 1]
    assert "total" in loss.get_ylabel() and "not comparable" in loss.get_ylabel()


def test_one_run_shows_the_magnitudes_of_its_terms(figures: list[Figure]) -> None:
    plots.training_curves(LOG, VALIDATION, "title", Path("x"))
    terms, psnr = figures[0].axes
    assert {name: data[1].tolist() for name, data in lines(terms).items()} == {
        "pixel": [0.3, 0.2, 0.1],
        "adversarial": [0.5, 0.1, 0.2],
    }
    assert psnr.lines[0].get_ydata().tolist() == [20, 22]
    assert terms.get_xlabel() == "step"


def test_long_logs_are_averaged_over_equal_stretches(figures: list[Figure]) -> None:
    steps = np.arange(10, 5001, 10)
    log = pd.DataFrame({"step": steps, "pixel": 1.0 + np.arange(500) % 5, "total": 1.0})
    plots.training_curves(log, VALIDATION, "title", Path("x"))
    axis = figures[0].axes[0]
    x, y = lines(axis)["pixel"]
    assert len(x) == training.MOST_PLACES
    assert x[:2].tolist() == [30, 80]  # of 10..50, 60..100
    assert y.tolist() == [3.0] * len(y)
    assert axis.get_xlabel() == "step (means of up to 5 log entries)"


def test_attention_is_equation_9_at_the_start_and_at_the_end(figures: list[Figure]) -> None:
    assert plots.attention_curves(SCALARS, "title", Path("x"))
    axes = figures[0].axes
    assert len(axes) == 13
    titles = [axis.get_title().splitlines()[0] for axis in axes]
    assert titles == [f"forward, level {k}" for k in range(1, 12)] + [
        "reverse, level 1",
        "reverse, level 2",
    ]

    def curve(x: float, a: float, mu: float, left: float, right: float) -> float:
        if x < mu:
            return a * math.exp(-left * (x - mu) ** 2)
        return 1 + (a - 1) * math.exp(-right * (x - mu) ** 2)

    last = axes[-1]  # reverse, level 2: every scalar grew by 0.2
    drawn = lines(last)
    for label, scalars in (("step 0", (1.1, 2.0, 1.0, 0.5)), ("step 500", (1.3, 2.2, 1.2, 0.7))):
        x, y = drawn[label]
        assert y == pytest.approx([curve(place, *scalars) for place in x])
    dashed, solid = last.lines
    assert (dashed.get_linestyle(), solid.get_linestyle()) == ("--", "-")
    for text in ("a 1.10→1.30", "μ 2.00→2.20", "γl 1.00→1.20", "γr 0.50→0.70"):
        assert text in last.get_title()


def test_layer_without_one_of_its_scalars_is_named() -> None:
    column = "reverse_branch.levels.1.attention.mu"
    with pytest.raises(UserError, match=re.escape(column)):
        plots.attention_curves(SCALARS.drop(columns=column), "title", Path("x"))
