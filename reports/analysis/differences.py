"""Whether methods differ from a reference: paired comparisons with one verdict each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench.evaluation.metrics.metric import find
from reports.analysis.crossed import LEVEL, Mean, mean_of
from reports.analysis.summary import KEYS
from reports.analysis.units import ALL, Block, blocks, by_image, complete, paired_seeds

COLUMNS = [
    *KEYS, "family", "seeds", "images", "n", "left_out", "difference", "low", "high", "p", "p_holm",
    "margin", "p_equal", "p_equal_holm", "verdict",
]  # fmt: skip
PRIMARY, EXPLORATORY, FLOOR = "primary", "exploratory", "floor"
"""Families of comparisons: over all buckets, bucket by bucket, and with a floor, which no test is
about."""


def comparison_note(reference: str) -> str:
    """Return how `paired` compares, in words, for the report that shows its tables."""
    return (
        f"Differences are method minus {reference} on the same image, mask and seed, averaged "
        "within images; intervals are by the same model as those of single methods. better, worse: "
        f"p of the two-sided test, adjusted by Holm, is below {LEVEL}. equal within the margin: "
        "both one-sided tests against the margin reject, adjusted alike. undecided: neither; in "
        "brackets the study that would detect the margin with 80 % power. The primary family has "
        "one comparison a method over all buckets, for each metric; the buckets are a second "
        "family, exploratory. A floor is no hypothesis and in neither. With one seed, verdicts are "
        "about these trained networks, not about the methods; with two, up to 8 % of equal methods "
        "get a wrong one, not 5 %."
    )


def paired(
    records: pd.DataFrame,
    reference: str,
    algorithms: Collection[str] = (),
    floors: Collection[str] = (),
    margins: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Return every other method against `reference`: a row per method, metric, region, bucket.

    `algorithms` are methods without seeds, `floors` those that are no hypothesis, and `margins`
    override the metrics' own margins of equality. Buckets end with ALL. Columns:

    - family: PRIMARY for ALL, EXPLORATORY for a bucket, FLOOR for a floor.
    - seeds, images, n: what both methods have, and their test pairs; left_out: pairs in which a
      value is missing or infinite under some seed.
    - difference, low, high: mean of method - reference in the metric's units, and its 95 %
      interval; NaN without an image, low and high also for one image.
    - p, p_holm: of the hypothesis that there is no difference; adjusted by Holm (1979) within the
      metric, region and family. NaN for a floor.
    - margin, p_equal, p_equal_holm: of the hypothesis that the difference is not within ±margin.
    - verdict: see `comparison_note`.

    Empty, with the columns, if there is no `reference` or no other method.
    """
    methods = [m for m in records["method"].unique() if m != reference]
    if reference not in set(records["method"]) or not methods:
        return pd.DataFrame(columns=COLUMNS)
    found: list[tuple[dict[str, Any], Mean]] = []
    for block in blocks(records):
        for method in methods:
            margin = (margins or {}).get(block.metric, find(block.metric).margin)
            difference = paired_seeds(block, method, reference, algorithms)
            row, mean = _compare(block, difference)
            row |= {"method": method, "margin": margin, "p_equal": mean.p_equal(margin)}
            row["family"] = _family(block.bucket, method, floors)
            found.append((row, mean))
    rows = pd.DataFrame([row for row, _ in found])
    rows.loc[rows["family"] == FLOOR, ["p", "p_equal"]] = np.nan
    together = rows.groupby(["metric", "region", "family"])
    for name in ("p", "p_equal"):
        rows[f"{name}_holm"] = together[name].transform(holm)
    rows["verdict"] = [
        _verdict(row, mean) for row, (_, mean) in zip(rows.to_dict("records"), found, strict=True)
    ]
    place = {method: number for number, method in enumerate(methods)}
    return rows.iloc[rows["method"].map(place).argsort(kind="stable")][COLUMNS].reset_index(
        drop=True
    )


def holm(p: pd.Series[float]) -> pd.Series[float]:
    """Adjust p-values by Holm's step-down method (1979); NaNs stay and do not count."""
    ordered = p.dropna().sort_values()
    steps = ordered * np.arange(len(ordered), 0, -1)
    return steps.cummax().clip(upper=1).reindex(p.index)


def _compare(block: Block, difference: pd.DataFrame) -> tuple[dict[str, Any], Mean]:
    kept = complete(difference)
    mean = mean_of(by_image(kept))
    row = {
        "metric": block.metric,
        "region": block.region,
        "bucket": block.bucket,
        "seeds": mean.seeds,
        "images": mean.images,
        "n": len(kept),
        "left_out": len(difference) - len(kept),
        "difference": mean.mean,
        "low": mean.mean - mean.half,
        "high": mean.mean + mean.half,
        "p": mean.p_value(),
    }
    return row, mean


def _family(bucket: str, method: str, floors: Collection[str]) -> str:
    if method in floors:
        return FLOOR
    return PRIMARY if bucket == ALL else EXPLORATORY


def _verdict(row: Mapping[Any, Any], mean: Mean) -> str:
    metric = find(row["metric"])
    if row["family"] == FLOOR:
        verdict = "floor, not tested"
    elif not row["n"]:
        verdict = "not compared: no pair has both values under a common seed"
    elif np.isnan(row["p"]):
        verdict = "not tested: one image"
    # Equality comes first: a difference may be real and yet smaller than anyone cares about.
    elif row["p_equal_holm"] < LEVEL:
        verdict = f"equal within {row['margin']:g} {metric.unit}".rstrip()
    elif row["p_holm"] < LEVEL:
        verdict = "better" if (row["difference"] > 0) == metric.higher_is_better else "worse"
    elif row["family"] == EXPLORATORY:
        verdict = "undecided"
    else:
        verdict = f"undecided ({_study(mean.needed(row['margin']), mean.seeds)})"
    return verdict


def _study(needed: tuple[int, int] | None, seeds: int) -> str:
    """Return the study that would decide, in words."""
    if needed is None:
        return "no study of a feasible size would decide"
    if seeds == 1:
        return f"needs about {needed[1]:,} images"
    return f"needs about {needed[0]} seeds x {needed[1]:,} images"
