"""Quality over the hole ratio and over all buckets, as the plots draw it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from bench.evaluation.metrics.metric import all_metrics
from reports.analysis.smoothing import local_linear
from reports.analysis.summary import UNIT

BANDWIDTH = 0.03
"""Standard deviation of the smoothing kernel, in units of hole ratio: a third of a bucket."""
SMOOTHING_NOTE = (
    f"local linear regression, Gaussian kernel, bandwidth {BANDWIDTH} of hole ratio; "
    "bands: pointwise 95 % (1.96 local standard errors, HC3)"
)
PLACES = 101
"""Number of hole ratios at which a curve is computed."""


class Curve(NamedTuple):
    """One method's metric over the hole ratio."""

    method: str
    metric: str
    points: pd.DataFrame
    """One row per test pair: ratio and value."""
    ratio: NDArray[np.float64]
    mean: NDArray[np.float64]
    half: NDArray[np.float64]
    """Half-width of the 95 % band; NaN where too few pairs are near."""


def composite_per_pair(records: pd.DataFrame) -> pd.DataFrame:
    """Return finite values on the composite, one row per method, metric and pair.

    The seeds of a method are averaged. Columns: method, metric, bucket, manifest, pair, ratio,
    value. Rows are in order of appearance.
    """
    known = [metric.name for metric in all_metrics()]
    chosen = records["metric"].isin(known) & (records["region"] == "composite")
    finite = records[chosen & np.isfinite(records["value"])].drop_duplicates(UNIT)
    keys = ["method", "metric", "bucket", "manifest", "pair"]
    grouped = finite.groupby(keys, sort=False)
    pairs: pd.DataFrame = grouped.agg(ratio=("ratio", "first"), value=("value", "mean"))
    return pairs.reset_index()


def smooth_curves(records: pd.DataFrame) -> list[Curve]:
    """Return a smooth curve per method and metric on the composite, over the hole ratio.

    The curves are local linear regressions over test pairs, whose seeds are averaged first; see
    `local_linear`. Infinite PSNRs are left out.
    """
    curves = []
    for metric, rows in composite_per_pair(records).groupby("metric", sort=False):
        # All methods share the places, so that their curves can be compared at each.
        grid = np.linspace(rows["ratio"].min(), rows["ratio"].max(), PLACES)
        for method, own in rows.groupby("method", sort=False):
            points = own[["ratio", "value"]]
            ratio, value = points["ratio"].to_numpy(), points["value"].to_numpy()
            mean, half = local_linear(ratio, value, grid, BANDWIDTH)
            curves.append(Curve(str(method), str(metric), points, grid, mean, half))
    return curves


def overall_psnr(records: pd.DataFrame) -> pd.DataFrame:
    """Return each method's PSNR on the composite in dB, averaged over the buckets' means.

    Columns: mean, and half, the half-width of its 95 % interval. Buckets are strata that were fixed
    beforehand. So the standard error is that of a stratified mean, from the scatter within buckets;
    Student's interval has n - (number of buckets) degrees of freedom. Methods without a value in
    some bucket are left out.
    """
    values = composite_per_pair(records)
    psnr = values[values["metric"] == "psnr"]
    cells = psnr.groupby(["method", "bucket"], sort=False)["value"].agg(["mean", "sem", "count"])
    strata = psnr["bucket"].nunique()
    methods = cells.groupby("method", sort=False)
    mean, n = methods["mean"].mean(), methods["count"].sum()
    # The mean of independent means: their variances add up, divided by the square of their number.
    error = methods["sem"].apply(lambda sem: np.sqrt(np.sum(sem.to_numpy() ** 2))) / strata
    half = stats.t.ppf(0.975, np.maximum(n - strata, 1)) * error
    return pd.DataFrame({"mean": mean, "half": half})[methods.size() == strata]
