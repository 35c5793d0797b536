"""Records, logs and costs to draw, and a look at what would be written."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import plots
from reports.analysis.differences import paired
from reports.analysis.quality import smooth_curves
from reports.analysis.ranks import average_ranks
from reports.analysis.summary import summarise
from reports.plots import attention, cost, quality, ranks, training

LOW, HIGH = "(0.1, 0.2]", "(0.4, 0.5]"
COSTS = [
    {"method": "full", "parameters": 3_000_000, "milliseconds": 35.0, "device": "CPU", "size": 256},
    {"method": "forward", "parameters": 2_000_000, "milliseconds": 30.0, "device": "CPU",
     "size": 256},
    {"method": "telea", "parameters": 0, "milliseconds": 5.0, "device": "CPU", "size": 256},
]  # fmt: skip


def row(**changes: object) -> dict[str, object]:
    return {
        "manifest": "m",
        "method": "full",
        "seed": 0,
        "pair": 0,
        "image": "a",
        "metric": "psnr",
        "region": "composite",
        "bucket": LOW,
        "ratio": 0.15,
        "value": 20.0,
        "note": "",
    } | changes


def sample(methods: dict[str, int], pairs: int = 20) -> pd.DataFrame:
    """Random records of methods with so many seeds each, `pairs` in each of two buckets."""
    random = np.random.default_rng(0)
    rows = []
    for pair in range(2 * pairs):
        bucket, start = (LOW, 0.1) if pair < pairs else (HIGH, 0.4)
        ratio, hard = start + random.uniform(0.001, 0.1), random.normal()
        for number, (method, seeds) in enumerate(methods.items()):
            for seed in range(seeds):
                for metric, scale in (("psnr", 1.0), ("ssim", 0.01), ("l1_percent", 0.1)):
                    value = scale * (30 - 20 * ratio + hard - number + random.normal(0, 0.3))
                    rows.append(
                        row(method=method, seed=seed, pair=pair, image=f"image {pair % pairs}",
                            bucket=bucket, ratio=ratio, metric=metric, value=value)
                    )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Figure]]:
    """The figures that would have been written."""
    caught: list[Figure] = []
    for module in (attention, cost, quality, ranks, training):
        monkeypatch.setattr(module, "save", lambda figure, path: caught.append(figure))
    yield caught


def lines(axis: Axes) -> dict[str, np.ndarray]:
    """[2, n] places and values of the labelled lines, error bars' included."""
    handles, labels = axis.get_legend_handles_labels()
    found = [h.lines[0] if hasattr(h, "lines") else h for h in handles]
    return {
        label: np.array(line.get_data(), float) for label, line in zip(labels, found, strict=True)
    }


def bars(axis: Axes) -> list[np.ndarray]:
    """Ends of the intervals, [n, 2, 2], of each error bar container."""
    return [np.array(c.lines[2][0].get_segments()) for c in axis.containers]


LOG = pd.DataFrame(
    {"step": [10, 20, 30], "images_per_s": 1.0, "pixel": [0.3, 0.2, 0.1],
     "adversarial": [-0.5, 0.1, -0.2], "total": [3.0, 2.0, 1.0]}
)  # fmt: skip
VALIDATION = pd.DataFrame({"step": [15, 30], "psnr": [20.0, 22.0]})
SCALARS = pd.DataFrame(
    {"step": [0, 500]}
    | {
        f"{branch}.levels.{level}.attention.{name}": [start, start + 0.1 * (level + 1)]
        for branch, depth in (("mask_branch", 11), ("reverse_branch", 2))
        for level in range(depth)
        for name, start in (("a", 1.1), ("mu", 2.0), ("gamma_left", 1.0), ("gamma_right", 0.5))
    }
)


def draw_all(folder: Path) -> None:
    """Every plot, with one panel where it has one per metric."""
    records = sample({"full": 2, "forward": 1, "telea": 1})
    records = records[records["metric"] == "psnr"]
    assert plots.metric_by_bucket(summarise(records), "title", folder / "bucket")
    assert plots.metric_by_ratio(smooth_curves(records), "title", folder / "ratio")
    assert plots.difference(paired(records, "full"), "full", "title", folder / "difference")
    assert plots.quality_by_cost(summarise(records), COSTS, "title", folder / "cost")
    assert plots.rank_diagram(list(average_ranks(records)), "title", folder / "ranks")
    assert plots.training_by_method({"full": [(LOG, VALIDATION)] * 2}, "title", folder / "all")
    assert plots.training_curves(LOG, VALIDATION, "title", folder / "curves")
    few = [c for c in SCALARS if c == "step" or ".levels.0." in c]
    assert plots.attention_curves(SCALARS[few], "title", folder / "attention")
