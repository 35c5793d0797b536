"""Tables across data sets: methods in rows, sets of test pairs in columns."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from reports.analysis.units import ALL
from reports.tables.formats import Cell, Table
from reports.tables.metrics import by_bucket


def by_dataset(summary: pd.DataFrame, rows: str) -> list[Table]:
    """Return two tables per metric: over all buckets of each data set, and bucket by bucket.

    `summary` is that of `reports.datasets.summary_of`, and `rows` says in the titles what stands in
    a row. Only the composite is shown. The numbers behind both stand in the second.
    """
    shown = summary[summary["region"] == "composite"]
    methods = list(dict.fromkeys(shown["method"]))
    over_all = shown[shown["bucket"] == ALL]
    first = by_bucket(over_all.assign(bucket=over_all["dataset"]), methods=methods)
    labels = shown["dataset"].str.cat(shown["bucket"].astype(str), sep=" ")
    second = by_bucket(shown.assign(bucket=labels), methods=methods)
    keys = shown[["dataset", "manifest", "bucket"]].assign(label=labels).drop_duplicates()
    tables = []
    for short, long in zip(first, second, strict=True):
        if short.header:
            tables += [_with_seeds(short, rows), _with_keys(long, rows, keys)]
        else:  # not measured anywhere: once is enough
            tables.append(replace(short, data=pd.DataFrame()))
    return tables


def _with_seeds(table: Table, what: str) -> Table:
    """Return the table over all buckets with the number of seeds of each method, and no data."""
    seeds = table.data[table.data["seeds"] > 0].groupby("method", observed=True)["seeds"]
    told = {method: "/".join(map(str, dict.fromkeys(counts))) for method, counts in seeds}
    rows = [[row[0], Cell(told.get(row[0].text, "-")), *row[1:]] for row in table.rows]
    return replace(
        table,
        title=f"{table.title}, {what}",
        header=[table.header[0], "seeds", *table.header[1:]],
        rows=rows,
        data=pd.DataFrame(),
    )


def _with_keys(table: Table, what: str, keys: pd.DataFrame) -> Table:
    """Return the table by buckets, whose data have columns for data set, manifest and bucket."""
    data = table.data.rename(columns={"bucket": "label"}).merge(keys, on="label", how="left")
    columns = ["dataset", "manifest", *(name for name in table.data if name != "reported")]
    return replace(table, title=f"{table.title}, {what}, by bucket", data=data[columns])
