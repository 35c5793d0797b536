"""Means of per-image records, with confidence intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

KEYS = ["method", "metric", "region", "bucket"]
CONFIDENCE = 0.95
UNIT = ["manifest", "method", "seed", "pair", "metric", "region"]
"""Columns that make a record unique.

A method that was measured together with several runs appears in the records of each.
"""
INTERVALS = (
    "± is a 95 % interval over images: Student's t over test pairs, several seeds of a method "
    "averaged per pair first. (± over n seeds) is a 95 % interval over trainings: Student's t over "
    "the means of the seeds. Images are the unit of replication of an evaluation, seeds that of a "
    "training."
)
"""Explanation of the two intervals, for readers of the tables."""


def per_pair(records: pd.DataFrame) -> pd.DataFrame:
    """Return one row per method, metric, region, bucket and test pair, in order of appearance.

    Columns: value (mean over the seeds with a finite one, else NaN), perfect (infinite under every
    seed that has a value), note (why there is no value, NaN if nothing is said).
    """
    return _per_pair(records.drop_duplicates(UNIT))


def student_quantile(freedom: Any) -> Any:
    """Return Student's quantile for two-sided 95 % intervals at these degrees of freedom."""
    return stats.t.ppf((1 + CONFIDENCE) / 2, freedom)


def summarise(records: pd.DataFrame) -> pd.DataFrame:
    """Return one row per method, metric, region and bucket, in order of appearance.

    Columns: mean, half (half-width of Student's interval over test pairs), n (values in the mean),
    perfect (infinite PSNRs, counted and left out), note (why there is no value), seeds (how many
    have a mean), half_seeds (half-width of Student's interval over the means of the seeds, NaN
    under two). Several seeds of a method are averaged per test pair first, so n counts pairs.
    """
    unique = records.drop_duplicates(UNIT)
    images = _per_pair(unique).groupby(KEYS, sort=False)
    result = images.agg(
        mean=("value", "mean"),
        half=("value", "std"),
        n=("value", "count"),
        perfect=("perfect", "sum"),
        note=("note", "first"),
    )
    result["note"] = result["note"].fillna("")
    result["half"] = _half_width(result["half"], result["n"])
    finite = unique.assign(value=unique["value"].where(np.isfinite(unique["value"])))
    means = finite.groupby([*KEYS, "seed"], sort=False)["value"].mean()
    trainings = means.groupby(KEYS, sort=False)
    result["seeds"] = trainings.count()
    result["half_seeds"] = _half_width(trainings.std(), result["seeds"])
    return result.reset_index()


def _per_pair(unique: pd.DataFrame) -> pd.DataFrame:
    grouped = unique.assign(
        perfect=np.isinf(unique["value"]),
        value=unique["value"].where(np.isfinite(unique["value"])),
        note=unique["note"].where(unique["note"] != ""),  # "first" skips what is missing
    ).groupby([*KEYS, "manifest", "pair"], sort=False)
    result = grouped.agg(
        value=("value", "mean"), perfect=("perfect", "any"), note=("note", "first")
    ).reset_index()
    # A pair that is perfect under one seed alone has a mean over the others.
    result["perfect"] &= result["value"].isna()
    return result


def _half_width(deviation: pd.Series[Any], n: pd.Series[Any]) -> pd.Series[Any]:
    """Return the half-width of Student's interval of a mean; NaN for fewer than two values."""
    half: pd.Series[Any] = student_quantile(np.maximum(n - 1, 1)) * deviation / np.sqrt(n)
    return half
