"""Paired comparisons of methods with a reference on the same test pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from bench.core.seeds import rng
from bench.evaluation.metrics.metric import find
from reports.analysis.summary import KEYS, per_pair

ALL = "all"
"""The bucket that stands for all buckets together."""
TAILS = [0.025, 0.975]
"""Quantiles of a 95 % interval."""
RESAMPLES = 10_000
LEVEL = 0.05
"""Holm's adjusted p-value under which methods are told apart."""
FEWEST = 6
"""Smallest number of differing pairs that is tested.

With n pairs the exact two-sided p-value is at least 2 / 2**n, so five or fewer cannot reach LEVEL.
"""
COLUMNS = [
    *KEYS, "n", "left_out", "difference", "low", "high", "p", "p_holm", "rank_biserial", "verdict",
]  # fmt: skip
CHUNK = 2**20
"""Number of bootstrap draws held in memory at once."""

Values = NDArray[np.float64]


def comparison_note(reference: str) -> str:
    """Return how `paired` compares, in words for the page that shows its tables."""
    return (
        f"Differences are method minus {reference} on the same test pair, several seeds averaged "
        f"per pair first; the interval is a 95 % percentile bootstrap over pairs "
        f"({RESAMPLES:,} resamples), which for normal differences covers about 91 % at 12 pairs "
        "and 94 % at 48. p is Wilcoxon's signed-rank test (two-sided, zero differences "
        "dropped), adjusted by Holm over all methods and buckets of one metric and region, all "
        "buckets together among them. r is the matched-pairs rank-biserial correlation. Better and "
        f"worse say that the adjusted p is below {LEVEL}. Pairs count as independent, so those "
        "that share an image make intervals too narrow and p too small; and images are replicated "
        "here, not trainings: with one seed a verdict is about two trained networks."
    )


def paired(records: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Compare every other method with `reference`, pair by pair.

    The result has one row per method, metric, region and bucket; ALL is the last bucket. Columns:

    - n, left_out: pairs compared, and those of the bucket in which either value is infinite or
      missing (a method's seeds are averaged per pair first, over those with a finite value).
    - difference: mean of method - reference, in the metric's units; low, high: its 95 % percentile
      bootstrap interval over pairs (Efron and Tibshirani 1993, section 13.3), NaN under two pairs.
    - p: Wilcoxon's signed-rank test, two-sided, `zero_method="wilcox"` (zero differences are
      dropped), exact or asymptotic as scipy chooses; NaN if fewer than FEWEST pairs differ.
    - p_holm: adjusted by Holm (1979) over all rows of the same metric and region.
    - rank_biserial: in [-1, 1], (W+ - W-) / (W+ + W-) with the sums W of the ranks of absolute
      differences above and below zero (Kerby 2014); 1 if the method's values are all larger.
    - verdict: "better" or "worse" where p_holm < LEVEL, in the metric's direction; "cannot be told
      from ..." else, and where the mean and the ranks point to different sides; "not tested: ..."
      where there is no p.

    The result has no rows if `reference` or every other method is missing.
    """
    differences = _differences(records, reference)
    if differences.empty:
        return pd.DataFrame(columns=COLUMNS)
    bucket = differences.index.get_level_values("bucket")
    blocks = {name: differences[bucket == name] for name in dict.fromkeys(records["bucket"])}
    blocks[ALL] = differences
    rows = pd.concat(
        {name: _compare(block, name) for name, block in blocks.items()}, names=["bucket"]
    )
    result: pd.DataFrame = rows.reorder_levels(KEYS).reset_index()
    result["p_holm"] = result.groupby(["metric", "region"])["p"].transform(holm)
    result["verdict"] = _verdicts(result, reference)
    return result[COLUMNS]


def holm(p: pd.Series[float]) -> pd.Series[float]:
    """Adjust p-values by Holm's step-down method (1979); NaNs stay and do not count as tests."""
    ordered = p.dropna().sort_values()
    steps = ordered * np.arange(len(ordered), 0, -1)
    return steps.cummax().clip(upper=1).reindex(p.index)


def rank_biserial(differences: Values) -> float:
    """Return the matched-pairs rank-biserial correlation of differences [n]; NaN if all are zero.

    Zero differences are dropped.
    """
    nonzero = differences[differences != 0]
    ranks = stats.rankdata(np.abs(nonzero))
    return float((ranks * np.sign(nonzero)).sum() / ranks.sum()) if len(nonzero) else np.nan


def bootstrap_interval(
    differences: Values, generator: np.random.Generator, resamples: int = RESAMPLES
) -> Values:
    """Return 95 % percentile intervals [2, k] of the means of k columns [n, k] of finite numbers.

    The columns share their resamples of the n pairs, so that all means of a resample are one
    product with the counts of how often each pair was drawn.
    """
    n, columns = differences.shape
    means = np.empty((resamples, columns))
    rows = max(1, CHUNK // n)
    for start in range(0, resamples, rows):
        part = means[start : start + rows]
        drawn = generator.integers(0, n, (len(part), n)) + n * np.arange(len(part))[:, None]
        counts = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        part[:] = counts.astype(float) @ differences / n
    return np.asarray(np.quantile(means, TAILS, axis=0))


def _differences(records: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Return method - reference: rows manifest, bucket, pair; columns method, metric, region."""
    keys = ["method", "metric", "region"]
    values = per_pair(records).set_index(["manifest", "bucket", "pair", *keys])["value"]
    wide = values.unstack(keys)
    methods = list(dict.fromkeys(records["method"]))
    if reference not in methods or len(methods) == 1:
        return pd.DataFrame()
    families = records[["metric", "region"]].drop_duplicates()
    wide = wide.reindex(
        columns=pd.MultiIndex.from_tuples(
            [(method, *family) for method in methods for family in families.to_numpy()], names=keys
        )
    )
    others = {m: wide[m] - wide[reference] for m in methods if m != reference}
    result: pd.DataFrame = pd.concat(others, axis=1, names=keys)
    return result


def _compare(block: pd.DataFrame, bucket: str) -> pd.DataFrame:
    """Return one bucket's statistics, before Holm's correction over all buckets."""
    n = block.count()
    intervals = _intervals(block.to_numpy(), bucket)
    columns = [block[name].dropna().to_numpy() for name in block]
    return pd.DataFrame(
        {
            "n": n,
            "left_out": len(block) - n,
            "differing": (block.fillna(0) != 0).sum(),
            "difference": block.mean(),
            "low": intervals[0],
            "high": intervals[1],
            "p": [_signed_rank(column) for column in columns],
            "rank_biserial": [rank_biserial(column) for column in columns],
        }
    )


def _intervals(differences: Values, bucket: str) -> Values:
    """Return bootstrap intervals [2, k] of columns [n, k], each over its finite differences."""
    result = np.full((2, differences.shape[1]), np.nan)
    measured, kind = np.unique(np.isfinite(differences), axis=1, return_inverse=True)
    for number, rows in enumerate(measured.T):
        if rows.sum() > 1:
            chosen = differences[np.ix_(rows, kind == number)]
            # The stream depends on the bucket alone: an interval does not on the other methods.
            result[:, kind == number] = bootstrap_interval(chosen, rng(0, "bootstrap", bucket))
    return result


def _signed_rank(differences: Values) -> float:
    if np.count_nonzero(differences) < FEWEST:
        return np.nan
    return float(stats.wilcoxon(differences, zero_method="wilcox").pvalue)


def _verdicts(rows: pd.DataFrame, reference: str) -> NDArray[Any]:
    direction = rows["metric"].map(lambda name: 1 if find(name).higher_is_better else -1)
    gain = direction * np.sign(rows["difference"])
    agree = np.sign(rows["difference"]) == np.sign(rows["rank_biserial"])
    told = (rows["p_holm"] < LEVEL) & agree
    pairs = rows["differing"].astype(str)
    untested = np.where(
        rows["n"] > 0,
        "not tested: " + pairs + f" pairs differ, fewer than {FEWEST}",
        "not tested: no pair has both values",
    )
    return np.select(
        [rows["p"].isna(), told & (gain > 0), told & (gain < 0)],
        [untested, "better", "worse"],
        f"cannot be told from {reference}",
    )
