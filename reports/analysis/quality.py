"""Quality over the hole ratio, as the plots draw it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.evaluation.metrics.metric import headline_metrics
from reports.analysis.smoothing import local_linear
from reports.analysis.units import UNIT

BANDWIDTH = 0.03
"""Standard deviation of the smoothing kernel, in units of hole ratio: a third of a bucket."""
SMOOTHING_NOTE = (
    f"local linear regression, Gaussian kernel, bandwidth {BANDWIDTH} of hole ratio; "
    "bands: pointwise 95 % over images, for the seeds that were trained"
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
    """Return values on the composite, one row per method, metric and pair, seeds averaged.

    Pairs that some seed fills perfectly (infinite PSNR), or has no value for, are left out.
    Columns: method, metric, bucket, manifest, image, pair, ratio, value, in order of appearance.
    """
    known = [metric.name for metric in headline_metrics()]
    chosen = records["metric"].isin(known) & (records["region"] == "composite")
    unique = records[chosen].drop_duplicates(UNIT)
    marked = unique.assign(finite=np.isfinite(unique["value"]))
    keys = ["method", "metric", "bucket", "manifest", "image", "pair"]
    pairs = (
        marked.groupby(keys, sort=False, observed=True)
        .agg(ratio=("ratio", "first"), value=("value", "mean"), finite=("finite", "all"))
        .reset_index()
    )
    kept: pd.DataFrame = pairs[pairs["finite"]].drop(columns="finite")
    return kept


def smooth_curves(records: pd.DataFrame) -> list[Curve]:
    """Return a smooth curve per method and metric on the composite, over the hole ratio.

    The curves are local linear regressions over test pairs, whose seeds are averaged first; see
    `local_linear`. Their bands take pairs of one image as dependent.
    """
    curves = []
    for metric, rows in composite_per_pair(records).groupby("metric", sort=False, observed=True):
        # All methods share the places, so that their curves can be compared at each.
        grid = np.linspace(rows["ratio"].min(), rows["ratio"].max(), PLACES)
        for method, own in rows.groupby("method", sort=False, observed=True):
            points = own[["ratio", "value"]]
            ratio, value = points["ratio"].to_numpy(), points["value"].to_numpy()
            image = own["image"].factorize()[0]
            mean, half = local_linear(ratio, value, image, grid, BANDWIDTH)
            curves.append(Curve(str(method), str(metric), points, grid, mean, half))
    return curves
