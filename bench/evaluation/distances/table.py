"""The distances by name, and the file that holds a run's; it imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.core.errors import UserError
from bench.core.files import replacing

ALL = "all"
"""The bucket that stands for all buckets together."""
COLUMNS = {
    "family": "str",
    "method": "str",
    "seed": "int64",
    "bucket": "str",
    "metric": "str",
    "value": "float64",
    "n": "int64",
    "reason": "str",
    "manifest": "str",
}
"""Types of the columns; a row belongs to one method, bucket and distance. `n` counts test pairs.
`value` is empty where nothing was measured, and `reason` says why."""
UNIT = ["manifest", "method", "seed", "bucket", "metric"]
"""Columns that make a row unique; methods measured next to several runs appear in each."""


@dataclass(frozen=True, kw_only=True)
class Distance:
    """A number that compares all filled images with all true ones, by their Inception features."""

    name: str
    label: str
    higher_is_better: bool
    digits: int
    least: int
    """Number of different true images from which on it is measured."""
    note: str
    """Sentence on what the number is, for below its tables."""

    @property
    def direction(self) -> str:
        """The text `higher is better` or `lower is better`."""
        return f"{'higher' if self.higher_is_better else 'lower'} is better"


FEATURES = 2048
"""Inception features of an image."""
SUBSETS, SUBSET, SEED = 100, 1000, 2020
"""Subsets that KID is averaged over, images in each, and the seed that draws them: torch-fidelity's
own."""
DISTANCES = (
    Distance(
        name="fid",
        label="FID",
        higher_is_better=False,
        digits=2,
        least=FEATURES,  # with fewer images than features, their covariance is singular
        note="Fewer images give a larger FID: compare it at equal n.",
    ),
    Distance(
        name="kid",
        label="KID",
        higher_is_better=False,
        digits=5,
        least=SUBSET,  # smaller subsets would be noisier than any published KID
        note=f"KID is the mean over {SUBSETS} random subsets of {SUBSET:,} images.",
    ),
    Distance(
        name="p_ids",
        label="P-IDS",
        higher_is_better=True,
        digits=4,
        # With half as many pairs a plane would part most samples of one distribution (Cover 1965).
        least=2 * FEATURES,
        note="P-IDS is the share of pairs whose filled image a linear classifier of Inception "
        "features holds for more true than the true one. It grows with n: compare it at equal n.",
    ),
    Distance(
        name="u_ids",
        label="U-IDS",
        higher_is_better=True,
        digits=4,
        least=2 * FEATURES,
        note="U-IDS is the share of true and filled images that a linear classifier of Inception "
        "features gets wrong, at most about a half. It grows with n: compare it at equal n.",
    ),
)


def write(path: Path, distances: pd.DataFrame) -> None:
    """Write the distances as a CSV file, whole or not at all; floats keep every digit."""
    with replacing(path) as temporary:
        distances[list(COLUMNS)].to_csv(temporary, index=False)


def read(paths: Iterable[Path]) -> pd.DataFrame:
    """Read the distances of several files into one frame, with each row once.

    Of a row that several files have, one with a value is taken. A file that is missing, damaged or
    lacks a column is a `UserError`. Without files the frame is empty.
    """
    frames = [_read_one(path) for path in paths]
    if not frames:
        return pd.DataFrame(columns=list(COLUMNS))
    found = pd.concat(frames, ignore_index=True)
    measured_first = found.iloc[found["value"].isna().argsort(kind="stable")]
    return measured_first.drop_duplicates(UNIT).sort_index(ignore_index=True)


def _read_one(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(
            path,
            dtype=COLUMNS,
            keep_default_na=False,
            na_values={"value": [""]},
            float_precision="round_trip",
        )
    except (ValueError, OSError) as error:
        raise UserError(f"distances {path} are damaged: {error}") from error
    missing = [name for name in COLUMNS if name not in frame]
    if missing:
        raise UserError(f"distances {path} lack the column '{missing[0]}'")
    return frame[list(COLUMNS)]
