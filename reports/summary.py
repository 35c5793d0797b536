"""From per-image records to means with confidence intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

KEYS = ["method", "metric", "region", "bucket"]
UNIT = ["manifest", "method", "seed", "pair", "metric", "region"]
"""What makes a record unique; methods measured beside several runs appear in each."""


def summarise(records: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """One row per method, metric, region and bucket, in the order of appearance.

    Columns: mean, half (half-width of Student's interval over test pairs), n (values in the mean),
    perfect (infinite PSNRs, counted and left out), note (why there is no value). Several seeds of a
    method are averaged per test pair first, so n counts pairs.
    """
    unique = records.drop_duplicates(UNIT)
    finite = np.isfinite(unique["value"])
    grouped = unique.assign(
        perfect=np.isinf(unique["value"]), value=unique["value"].where(finite)
    ).groupby([*KEYS, "pair"], sort=False)
    per_pair = grouped.agg(
        value=("value", "mean"), perfect=("perfect", "any"), note=("note", "first")
    ).reset_index()
    # A pair that is perfect under one seed alone has a mean over the others.
    per_pair["perfect"] &= per_pair["value"].isna()
    result = per_pair.groupby(KEYS, sort=False).agg(
        mean=("value", "mean"),
        deviation=("value", "std"),
        n=("value", "count"),
        perfect=("perfect", "sum"),
        note=("note", "first"),
    )
    quantile = stats.t.ppf((1 + confidence) / 2, np.maximum(result["n"] - 1, 1))
    result["half"] = quantile * result["deviation"] / np.sqrt(result["n"])
    return result.drop(columns="deviation").reset_index()
