"""Distances of methods over their seeds."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bench.evaluation.distances.table import ALL

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


def over_data_sets(distances: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return what `over_seeds` does over all buckets, with data sets in the place of buckets.

    `names` are those of the data sets by manifest, in the order of the rows.
    """
    over_all = distances[distances["bucket"] == ALL]
    order = over_all["manifest"].map(list(names).index).argsort(kind="stable")
    return over_seeds(over_all.assign(bucket=over_all["manifest"].map(names)).iloc[order])
