"""Means of single methods, with intervals over images and trainings."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.data.masks.family import family_of
from reports.analysis.crossed import mean_of
from reports.analysis.units import Block, blocks, by_image, complete

KEYS = ["method", "metric", "region", "bucket"]
COLUMNS = [*KEYS, "mean", "half", "n", "images", "seeds", "perfect", "note"]
INTERVALS = (
    "± is a 95 % interval over images, and over trainings too where a method has several seeds "
    "(crossed random effects; reports/README.md). Test pairs are averaged within their image first."
)


def summarise(records: pd.DataFrame) -> pd.DataFrame:
    """Return one row per method, metric, region and bucket, in the order of appearance.

    The bucket `all` holds all test pairs. Columns:

    - mean, half: the mean over images (and seeds), and the half-width of its 95 % interval by
      `reports.analysis.crossed`; NaN without a value, and half also for a single image.
    - n, images, seeds: test pairs, images and seeds in the mean.
    - perfect: pairs left out since some seed fills them without an error (infinite PSNR).
    - note: why there is no value.
    """
    methods = list(records["method"].unique())
    notes = records[records["note"] != ""].drop_duplicates(["method", "metric", "region"])
    reasons = notes.set_index(["method", "metric", "region"])["note"].to_dict()
    rows = [
        row
        for block in blocks(records)
        for method in methods
        for row in [_row(block, method, reasons.get((method, block.metric, block.region), ""))]
        if row["n"] or row["perfect"] or row["note"]  # else it was not run
    ]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    place = {method: number for number, method in enumerate(methods)}
    # By method first, as tables have it; metrics and buckets keep their order.
    return frame.iloc[frame["method"].map(place).argsort(kind="stable")].reset_index(drop=True)


def summarise_families(records: pd.DataFrame) -> pd.DataFrame:
    """Return what `summarise` does, with mask families in the place of buckets.

    There are no rows where all masks are of one family, or of one mix whose families an older
    manifest does not name.
    """
    families = records["mask"].map(family_of)
    if families.nunique() < 2:
        return pd.DataFrame(columns=COLUMNS)
    return summarise(records.assign(bucket=families.astype(str)))


def interval_note(part: pd.DataFrame) -> str:
    """Return over how many images and seeds the intervals of rows of `summarise` are."""
    images, seeds = (
        "-".join(f"{count:,}" for count in dict.fromkeys([found.min(), found.max()]))
        for found in (part.loc[part["n"] > 0, name] for name in ("images", "seeds"))
    )
    over = f"{images} images" if seeds == "1" else f"{images} images and {seeds} seeds"
    return f"± is a 95 % interval over {over}; n is the number of test pairs."


def _row(block: Block, method: str, note: str) -> dict[str, object]:
    """Return a method's row for one metric, region and bucket."""
    own = block.of(method)
    kept = complete(own)
    found = mean_of(by_image(kept))
    return {
        "method": method,
        "metric": block.metric,
        "region": block.region,
        "bucket": block.bucket,
        "mean": found.mean,
        "half": found.half,
        "n": len(kept),
        "images": found.images,
        "seeds": found.seeds,
        "perfect": int(np.isinf(own.to_numpy(float)).any(axis=1).sum()),
        "note": note,
    }
