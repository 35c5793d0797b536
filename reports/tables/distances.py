"""Tables of the distances: FID, KID, P-IDS and U-IDS by mask-ratio bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from bench.evaluation.distances.table import ALL, DISTANCES, Distance
from reports.tables.formats import Cell, Table
from reports.tables.metrics import marks


def distance_tables(found: pd.DataFrame, methods: Sequence[str] = ()) -> list[Table]:
    """Return one table per distance: methods in rows, buckets in columns.

    `found` are rows of `reports.analysis.distances.over_seeds`. Distances that no method has are
    named together, with the reasons. `methods` are the rows, if they are not those of the distances
    alone: the others have `-` in every cell. Without distances there is no table.
    """
    rows = list(methods or found["method"].unique())
    parts = {distance: found[found["metric"] == distance.name] for distance in DISTANCES}
    measured = [kind for kind, part in parts.items() if part["seeds"].any()]
    unmeasured = [kind for kind, part in parts.items() if len(part) and not part["seeds"].any()]
    tables = [_table(kind, parts[kind], rows) for kind in measured]
    if unmeasured:
        tables.append(_reasons({kind: parts[kind] for kind in unmeasured}))
    return tables


def distances_by_dataset(found: pd.DataFrame, rows: str) -> list[Table]:
    """Return one table per measured distance: methods in rows, data sets in columns.

    `found` are rows of `reports.analysis.distances.over_data_sets`, and `rows` ends the titles.
    """
    return [
        replace(
            table,
            title=f"{table.title}, {rows}",
            data=table.data.rename(columns={"bucket": "dataset"}).assign(bucket=ALL),
        )
        for table in distance_tables(found)
        if table.header  # each data set's own tables say why there is no number
    ]


def _table(distance: Distance, part: pd.DataFrame, methods: Sequence[str]) -> Table:
    """Return the table of one distance."""
    buckets = part.drop_duplicates("bucket")
    columns = {
        f"{bucket} n={n}": _column(distance, part[part["bucket"] == bucket], methods)
        for bucket, n in zip(buckets["bucket"], buckets["n"], strict=True)
    }
    seeds = "-".join(map(str, sorted(set(part.loc[part["seeds"] > 0, "seeds"]))))
    note = f"{distance.note} n is the number of test pairs."
    if part["seeds"].max() > 1:
        note += f" ± is the standard deviation of single trainings, over {seeds} seeds."
    lines = list(zip(map(Cell, methods), *columns.values(), strict=True))
    return Table(
        f"{distance.label} ({distance.direction}), composite",
        ["method", *columns],
        lines,
        note,
        part,
    )


def _column(distance: Distance, bucket: pd.DataFrame, methods: Sequence[str]) -> list[Cell]:
    """Return the cells of one bucket, the best and the second best marked."""
    rows: dict[Any, dict[Any, Any]] = bucket.set_index("method").to_dict("index")
    digits = distance.digits
    means = pd.Series([rows[m]["mean"] if m in rows else float("nan") for m in methods])
    marked = marks(means.round(digits), distance.higher_is_better)
    cells = []
    for method, mark in zip(methods, marked, strict=True):
        row = rows.get(method)
        if row is None:
            cells.append(Cell("-", "missing"))
        elif not row["seeds"]:
            cells.append(Cell(f"not measured: {row['reason']}", "missing"))
        else:
            spread = f" ± {row['sd']:.{digits}f}" if row["seeds"] > 1 else ""
            text = f"{row['mean']:z.{digits}f}{spread}".replace("-", "−")
            cells.append(Cell(text, "measured", mark, row["mean"]))
    return cells


def _reasons(parts: Mapping[Distance, pd.DataFrame]) -> Table:
    """Return what stands in the place of tables without a number: the reasons over all pairs."""
    reasons: dict[str, list[str]] = {}
    for distance, part in parts.items():
        for reason in part.loc[part["bucket"] == ALL, "reason"].unique():
            reasons.setdefault(reason, []).append(distance.label)
    named = [f"{', '.join(labels)}: {reason}" for reason, labels in reasons.items()]
    note = "; ".join(named if len(reasons) > 1 else reasons)
    title = ", ".join(distance.label for distance in parts)
    return Table(
        f"{title}, composite", note=f"not measured: {note}", data=pd.concat(parts.values())
    )
