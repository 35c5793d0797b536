"""The records: results per image in the long format, the only source of tables and plots."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from bench.core.errors import UserError
from bench.core.files import replacing

COLUMNS = {
    "family": "str",
    "method": "str",
    "seed": "int64",
    "pair": "int64",
    "image": "str",
    "top": "int64",
    "left": "int64",
    "mask": "str",
    "mask_hash": "str",
    "ratio": "float64",
    "bucket": "str",
    "metric": "str",
    "region": "str",
    "value": "float64",
    "note": "str",
    "metric_version": "int64",
    "manifest": "str",
    "fingerprint": "str",
    "seconds": "float64",
}
"""Types of the columns; a row belongs to one test pair, metric and region. `value` is empty where
it could not be measured, and `note` says why. `seconds` is the time of the method's forward pass
per image, empty for outputs that were made elsewhere."""
TEXTS = [name for name, kind in COLUMNS.items() if kind == "str"]
"""Columns of text, which `read` returns as categories in the order of their texts."""


def write(path: Path, records: pd.DataFrame) -> None:
    """Write the records as a CSV file, whole or not at all; floats keep every digit."""
    with replacing(path) as temporary:
        records[list(COLUMNS)].to_csv(temporary, index=False)


def read(paths: Iterable[Path]) -> pd.DataFrame:
    """Read the records of several files into one frame, whose `TEXTS` are categories.

    No file at all, or one that is missing, damaged or lacks a column, is a `UserError`.
    """
    frames = [_read_one(path) for path in paths]
    if not frames:
        raise UserError("no records: no finished run was found")
    # Files with the same categories are joined by numbers; others would become text on the way.
    texts = {name: set().union(*(f[name].cat.categories for f in frames)) for name in TEXTS}
    kinds = {name: pd.CategoricalDtype(sorted(found)) for name, found in texts.items()}
    return pd.concat([frame.astype(kinds) for frame in frames], ignore_index=True)


def _read_one(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(
            path,
            dtype=COLUMNS,
            keep_default_na=False,  # An image may be called "NA"; only an empty value is missing.
            na_values={"value": [""], "seconds": [""]},
            float_precision="round_trip",
        )
    except FileNotFoundError as error:
        raise UserError(f"no records {path}") from error
    except (ValueError, OSError) as error:
        raise UserError(f"records {path} are damaged: {error}") from error
    missing = [name for name in COLUMNS if name not in frame]
    if missing:
        raise UserError(f"records {path} lack the column '{missing[0]}'")
    # Few texts stand in many rows: as categories, they are compared and grouped by small numbers.
    return frame[list(COLUMNS)].astype(dict.fromkeys(TEXTS, "category"))
