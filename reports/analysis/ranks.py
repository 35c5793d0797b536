"""Orders of methods: average ranks over images, and agreement with the paper's own order."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.evaluation.metrics.metric import find
from reports.analysis.crossed import LEVEL
from reports.analysis.units import ALL, blocks, complete

FEWEST_METHODS = 5
"""Methods below which the order of two tables says little."""
PERMUTATIONS = 50_000
"""Most permutations that are tried. All are for up to eight methods: 8! = 40,320."""


class Ranks(NamedTuple):
    """The average ranks of methods by one metric."""

    metric: str
    images: int
    ranks: pd.Series
    """Average rank over images by method, best (1 is the best possible) first."""
    difference: float
    """Critical difference: average ranks that are closer cannot be told apart at LEVEL."""
    p: float
    """p-value of Friedman's test that all methods are alike."""


def average_ranks(records: pd.DataFrame, floors: Collection[str] = ()) -> Iterator[Ranks]:
    """Yield the average ranks by each metric on the composite, over all buckets, without floors.

    On each image the methods are ranked by their mean over its pairs and over seeds; images are the
    blocks of Friedman's test. The critical difference is Nemenyi's, q sqrt(k (k + 1) / (6 N)) for k
    methods and N images, with q of the studentised range divided by sqrt(2) (Demšar 2006,
    section 3.2.2). Metrics with fewer than three methods, or two images, are left out.
    """
    from scipy import stats  # here: it takes a quarter of a second

    for block in blocks(records[records["region"] == "composite"]):
        if block.bucket != ALL:
            continue
        methods = [m for m in records["method"].unique() if m not in floors]
        measured = {m: block.of(m).mean(axis=1) for m in methods if block.of(m).shape[1]}
        means = pd.DataFrame(measured, index=block.values.index)
        by_image = complete(means).groupby(level="image", sort=False, observed=True).mean()
        images, k = by_image.shape
        if k < 3 or images < 2:
            continue
        ranks = by_image.rank(axis=1, ascending=not find(block.metric).higher_is_better)
        quantile = stats.studentized_range.isf(LEVEL, k, np.inf) / np.sqrt(2)
        yield Ranks(
            block.metric,
            images,
            ranks.mean().sort_values(),
            float(quantile * np.sqrt(k * (k + 1) / (6 * images))),
            float(stats.friedmanchisquare(*by_image.to_numpy().T).pvalue),
        )


def agreement(summary: pd.DataFrame, reported: pd.DataFrame) -> pd.DataFrame:
    """Return how well the measured order agrees with the paper's, by metric and bucket.

    `summary` is the table of `summarise`; `reported` has the paper's numbers (method, metric,
    bucket, reported). Columns: metric, bucket, methods (how many are in both), rho (Spearman's rank
    correlation) and p (one-sided, by permutation: of an agreement at least as good by chance). Rows
    with fewer than FEWEST_METHODS methods are left out.
    """
    measured = summary[(summary["region"] == "composite") & (summary["n"] > 0)]
    both = measured.merge(reported.dropna(), on=["method", "metric", "bucket"])
    rows = []
    for (metric, bucket), cell in both.groupby(["metric", "bucket"], sort=False):
        if len(cell) >= FEWEST_METHODS:
            rho, p = _spearman(cell["mean"].to_numpy(), cell["reported"].to_numpy())
            rows.append((metric, bucket, len(cell), rho, p))
    return pd.DataFrame(rows, columns=["metric", "bucket", "methods", "rho", "p"])


def _spearman(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return Spearman's correlation and its one-sided p-value by permutation of `one`."""
    from scipy import stats

    a, b = stats.rankdata(one), stats.rankdata(other)

    def correlation(x: np.ndarray, axis: int = -1) -> np.ndarray:
        centred, fixed = x - x.mean(axis=axis, keepdims=True), b - b.mean()
        norm = np.sqrt((centred**2).sum(axis=axis) * (fixed**2).sum())
        return np.asarray((centred * fixed).sum(axis=axis) / norm)

    test = stats.permutation_test(
        (a,), correlation, permutation_type="pairings", alternative="greater", vectorized=True,
        n_resamples=PERMUTATIONS, rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(test.statistic), float(test.pvalue)
