"""Distances of methods over their seeds."""

from __future__ import annotations

import pandas as pd

KEYS = ["method", "metric", "bucket"]


def over_seeds(distances: pd.DataFrame) -> pd.DataFrame:
    """Return one row per method, distance and bucket, in the order of appearance.

    Columns besides these: mean and sd (the standard deviation of single seeds, NaN for one) over
    the seeds that have a value, their number `seeds`, the number `n` of test pairs, and the
    `reason` why there is no value.
    """
    groups = distances.groupby(KEYS, sort=False)
    found = groups.agg(
        mean=("value", "mean"),
        sd=("value", "std"),
        seeds=("value", "count"),
        n=("n", "first"),
        reason=("reason", "first"),
    )
    return found.reset_index()
