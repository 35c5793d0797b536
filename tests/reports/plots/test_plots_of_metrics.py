"""Plots of metrics by ratio, and of differences."""

import math
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats

from reports import plots
from reports.analysis.differences import paired
from reports.analysis.quality import BANDWIDTH, smooth_curves
from reports.analysis.smoothing import local_linear
from reports.analysis.summary import summarise
from reports.plots import quality
from reports.style import colour, style
from tests.reports.plots.conftest import (
    COSTS,
    HIGH,
    LOG,
    LOW,
    VALIDATION,
    bars,
    draw_all,
    lines,
    row,
    sample,
)


def test_every_plot_is_written_in_three_kinds_with_its_text_as_text(tmp_path: Path) -> None:
    draw_all(tmp_path)
    names = ["bucket", "ratio", "difference", "cost", "ranks", "all", "curves", "attention"]
    expected = {f"{name}.{suffix}" for name in names for suffix in ("pdf", "png", "svg")}
    assert {file.name for file in tmp_path.iterdir()} == expected
    svg = (tmp_path / "bucket.svg").read_text(encoding="utf-8")
    assert re.search(r"<text[^>]*>forward</text>", svg)
    pdf = (tmp_path / "bucket.pdf").read_bytes()
    assert b"/CIDFontType2" in pdf or b"/TrueType" in pdf
    assert b"/Type3" not in pdf


def test_files_of_another_day_and_process_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = sample({"full": 1, "telea": 1})
    for folder in ("once", "again"):
        plots.metric_by_bucket(summarise(records), "title", tmp_path / folder / "plot")
        # Either would tell one day, or one process, from another.
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
        monkeypatch.setattr("uuid.uuid4", lambda: "another")
    for suffix in ("png", "svg", "pdf"):
        once, again = (tmp_path / f / f"plot.{suffix}" for f in ("once", "again"))
        assert once.read_bytes() == again.read_bytes(), suffix


def test_a_suffix_asks_for_one_file_and_a_dot_is_none(tmp_path: Path) -> None:
    plots.training_curves(LOG, VALIDATION, "title", tmp_path / "one.png")
    plots.training_curves(LOG, VALIDATION, "title", tmp_path / "v1.5")
    expected = {"one.png", "v1.5.png", "v1.5.svg", "v1.5.pdf"}
    assert {path.name for path in tmp_path.iterdir()} == expected


def test_png_has_its_resolution(tmp_path: Path) -> None:
    from PIL import Image

    plots.training_curves(LOG, VALIDATION, "title", tmp_path / "curves")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.info["dpi"] == pytest.approx((140, 140), abs=0.1)


def test_buckets_show_the_summarys_means_and_intervals(figures: list[Figure]) -> None:
    records = sample({"full": 2, "telea": 1})
    plots.metric_by_bucket(summarise(records), "title", Path("x"))
    axes = figures[0].axes
    assert [a.get_ylabel() for a in axes] == [
        "PSNR, dB (higher is better)",
        "SSIM (higher is better)",
        "mean L1, % (lower is better)",
    ]
    ssim = records[(records["metric"] == "ssim") & (records["method"] == "full")]
    pairs = ssim.groupby(["bucket", "pair"])["value"].mean()
    assert lines(axes[1])["full"][1] == pytest.approx([pairs[LOW].mean(), pairs[HIGH].mean()])
    table = summarise(records).set_index(["method", "metric", "bucket"])
    row = table.loc[("full", "ssim", LOW)]
    ends = [row["mean"] - row["half"], row["mean"] + row["half"]]
    assert bars(axes[1])[0][0][:, 1] == pytest.approx(ends)
    assert [t.get_text() for t in axes[0].get_xticklabels()] == [LOW, HIGH]


def test_buckets_are_ordered_by_ratio_whichever_comes_first(figures: list[Figure]) -> None:
    records = pd.DataFrame(
        [
            row(pair=1, bucket=HIGH, value=1.0),
            row(method="telea", value=3.0),
            row(method="telea", pair=1, bucket=HIGH, value=2.0),
        ]
    )
    plots.metric_by_bucket(summarise(records), "title", Path("x"))
    axis = figures[0].axes[0]
    assert lines(axis)["telea"][1].tolist() == [3.0, 2.0]
    assert np.isnan(lines(axis)["full"][1][0])
    assert lines(axis)["full"][1][1] == 1.0


def test_methods_keep_their_looks_in_any_subset(figures: list[Figure]) -> None:
    for methods in ({"full": 1, "telea": 1, "relu": 1}, {"relu": 1}):
        records = sample(methods)
        plots.metric_by_bucket(summarise(records), "title", Path("x"))
        plots.metric_by_ratio(smooth_curves(records), "title", Path("x"))
    for figure in figures:
        handles, labels = figure.axes[0].get_legend_handles_labels()
        drawn = handles[labels.index("relu")]
        line = drawn.lines[0] if hasattr(drawn, "lines") else drawn
        assert line.get_color() == colour("relu")
        assert line.get_marker() == style("relu")["marker"]
        assert line.get_linestyle() == style("relu")["linestyle"]


def test_legend_is_below_the_axes_with_twelve_methods(tmp_path: Path) -> None:
    records = sample({f"a-method-with-a-long-name-{k}": 1 for k in range(12)}, pairs=3)
    caught: list[Figure] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quality, "save", lambda figure, path: caught.append(figure))
        plots.metric_by_bucket(summarise(records), "title " * 60, tmp_path / "x")
    figure = caught[0]
    figure.draw_without_rendering()
    page = figure.bbox
    legend = figure.legends[0].get_window_extent()
    assert len(figure.legends[0].get_texts()) == 12
    assert page.x0 <= legend.x0 and legend.x1 <= page.x1 and legend.y0 >= page.y0
    title = figure._suptitle.get_window_extent()  # type: ignore[attr-defined]
    assert page.x0 <= title.x0 and title.x1 <= page.x1
    for axis in figure.axes:
        assert axis.get_tightbbox().y0 >= legend.y1
        assert axis.get_tightbbox().y1 <= title.y0


def test_metric_that_was_not_measured_has_no_panel(figures: list[Figure]) -> None:
    records = pd.DataFrame(
        [
            row(),
            row(metric="lpips_alex", value=math.nan, note="no weights"),
            row(metric="ssim", region="hole"),
        ]
    )
    plots.metric_by_bucket(summarise(records), "title", Path("x"))
    plots.metric_by_ratio(smooth_curves(records), "title", Path("x"))
    assert [len(figure.axes) for figure in figures] == [1, 1]
    measured = pd.concat([records, pd.DataFrame([row(metric="lpips_alex", value=0.2)])])
    plots.metric_by_bucket(summarise(measured.iloc[[0, 3]]), "title", Path("x"))
    assert "LPIPS" in figures[-1].axes[1].get_ylabel()


def test_nothing_measured_writes_nothing(tmp_path: Path) -> None:
    records = pd.DataFrame([row(value=math.inf), row(region="hole")])
    path = tmp_path / "x"
    assert not plots.metric_by_bucket(summarise(records), "title", path)
    assert not plots.metric_by_ratio(smooth_curves(records), "title", path)
    assert not plots.difference(paired(records, "full"), "full", "title", path)
    assert not plots.quality_by_cost(summarise(records), COSTS, "title", path)
    assert not plots.quality_by_cost(summarise(sample({"full": 1})), [], "title", path)
    assert not plots.training_by_method({"telea": []}, "title", path)
    assert not plots.attention_curves(LOG, "title", path)
    assert list(tmp_path.iterdir()) == []


def test_local_regression_equals_weighted_least_squares() -> None:
    random = np.random.default_rng(1)
    x = random.uniform(0.1, 0.5, 150)
    y = np.sin(9 * x) + random.normal(0, 0.2, 150)
    grid = np.linspace(0.12, 0.48, 101)
    image = np.arange(150)  # each point has an image of its own
    mean, half = local_linear(x, y, image, grid, 0.03)
    for place, value in zip(grid[::10], mean[::10], strict=True):
        root = np.exp(-((x - place) ** 2) / (4 * 0.03**2))  # polyfit squares its weights
        assert value == pytest.approx(np.polyfit(x - place, y, 1, w=root)[1], abs=1e-5)

    def fit(place: float, left_out: int | None = None) -> tuple[float, np.ndarray]:
        """The estimate, and its derivative by each y, by normal equations."""
        keep = np.arange(len(x)) != left_out
        design = np.stack([np.ones(len(x)), x - place], axis=1)
        weight = np.exp(-((x - place) ** 2) / (2 * 0.03**2)) * keep
        slopes = np.linalg.solve(design.T * weight @ design, design.T * weight)[0]
        return float(slopes @ y), slopes

    # e_i / (1 - L_ii) is the residual from the fit without point i.
    outside = np.array([y[i] - fit(x[i], i)[0] for i in range(len(x))])
    expected = stats.t.ppf(0.975, 149) * np.sqrt(np.sum((fit(grid[50])[1] * outside) ** 2))
    assert half[50] == pytest.approx(expected, rel=0.01)


def test_band_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(2)
    grid = np.linspace(0.1, 0.5, 101)
    inside = []
    for _ in range(300):
        x = random.uniform(0.1, 0.5, 300)
        y = 30 - 20 * x + random.normal(0, 1 + 5 * x)  # a line has no bias, noise grows
        mean, half = local_linear(x, y, np.arange(300), grid, 0.03)
        inside.append(np.abs(mean - (30 - 20 * grid)) < half)
    covered = np.mean(inside, axis=0)
    assert covered[50] == pytest.approx(0.95, abs=0.035)
    assert covered.mean() == pytest.approx(0.95, abs=0.02)


def test_band_covers_the_truth_where_images_have_many_pairs() -> None:
    random = np.random.default_rng(3)
    grid = np.linspace(0.1, 0.5, 101)
    inside = []
    for _ in range(300):
        image = np.repeat(np.arange(60), 4)
        x = random.uniform(0.1, 0.5, 240)
        y = 30 - 20 * x + random.normal(0, 3, 60)[image] + random.normal(0, 1, 240)
        mean, half = local_linear(x, y, image, grid, 0.03)
        inside.append(np.abs(mean - (30 - 20 * grid)) < half)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def test_a_band_over_thousands_of_images_takes_no_memory_for_each_pair_of_both() -> None:
    x = np.linspace(0.1, 0.5, 4000)
    tracemalloc.start()
    local_linear(x, x, np.arange(4000), np.linspace(0.1, 0.5, 11), 0.03)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4000 * 4000  # a number for each point and image would be eight times as much


def test_no_curve_is_drawn_where_there_are_no_pairs() -> None:
    x = np.repeat([0.15, 0.45], 10)
    y = np.where(x < 0.3, 30.0, 20.0) + np.tile([-1.0, 1.0], 10)
    mean, half = local_linear(x, y, np.arange(20), np.array([0.15, 0.3, 0.45]), 0.03)
    assert mean == pytest.approx([30.0, math.nan, 20.0], nan_ok=True)
    assert np.isnan(half[1])
    assert np.isfinite(half[[0, 2]]).all()


def test_smooth_curves_are_of_pairs_with_seeds_averaged(figures: list[Figure]) -> None:
    records = sample({"full": 3}, pairs=60)
    repeated = pd.concat([records, records.assign(fingerprint="other run")])
    plots.metric_by_ratio(smooth_curves(repeated), "title", Path("x"))
    axis = figures[0].axes[0]
    psnr = records[records["metric"] == "psnr"].groupby("pair")[["ratio", "value"]].mean()
    x, curve = lines(axis)["full"]
    place = x[10]
    root = np.exp(-((psnr["ratio"] - place) ** 2) / (4 * BANDWIDTH**2))
    fitted = np.polyfit(psnr["ratio"] - place, psnr["value"], 1, w=root)[1]
    assert curve[10] == pytest.approx(fitted, abs=1e-4)
    assert f"bandwidth {BANDWIDTH}" in figures[0].get_suptitle()
    band, points = axis.collections
    assert len(points.get_offsets()) == 120
    edges = np.concatenate([path.vertices for path in band.get_paths()])  # two: a gap between
    image = psnr.index.to_numpy() % 60  # both buckets show the same images
    half = local_linear(*psnr.to_numpy().T, image, x, BANDWIDTH)[1]
    for sign in (-1, 1):
        assert np.isclose(edges, [place, curve[10] + sign * half[10]]).all(axis=1).any()
    assert not edges[(edges[:, 0] > 0.29) & (edges[:, 0] < 0.31)].size


def test_differences_are_those_of_the_tables(figures: list[Figure]) -> None:
    compared = paired(sample({"full": 2, "forward": 3, "telea": 1}), "full")
    assert plots.difference(compared, "full", "title", Path("x"))
    axis = figures[0].axes[0]
    table = compared[compared["metric"] == "psnr"].set_index(["method", "bucket"])
    for container, ends, method in zip(
        axis.containers, bars(axis), ("forward", "telea"), strict=True
    ):
        for number, bucket in enumerate((LOW, HIGH)):
            expected = table.loc[(method, bucket)]
            assert container.lines[0].get_xdata()[number] == expected["difference"]
            assert ends[number][:, 0] == pytest.approx([expected["low"], expected["high"]])
    rows = axis.containers[1].lines[0].get_ydata()
    names = dict(
        zip(axis.get_yticks(), [t.get_text() for t in axis.get_yticklabels()], strict=True)
    )
    assert names[rows.mean()] == "telea"
    assert [t.get_text() for t in axis.get_yticklabels(minor=True)] == [LOW, HIGH] * 2


def test_differences_say_which_way_is_better(figures: list[Figure]) -> None:
    plots.difference(paired(sample({"full": 1, "forward": 1}), "full"), "full", "title", Path("x"))
    psnr, _, l1 = figures[0].axes
    assert (psnr.get_title("left"), psnr.get_title("right")) == (
        "← worse than full",
        "better than full →",
    )
    assert (l1.get_title("left"), l1.get_title("right")) == (
        "← better than full",
        "worse than full →",
    )


@pytest.mark.parametrize("methods", [{"forward": 1, "telea": 1}, {"full": 2}])
def test_without_full_or_others_there_are_no_differences(
    methods: dict[str, int], tmp_path: Path
) -> None:
    assert not plots.difference(paired(sample(methods), "full"), "full", "title", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
