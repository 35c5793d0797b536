"""Tables across data sets: over all buckets with a column for each, and bucket by bucket."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from reports.analysis.units import ALL
from reports.tables.formats import Cell, Table
from reports.tables.metrics import by_bucket

KEYS = ["dataset", "manifest"]
"""Columns of `reports.datasets.summary_of` that say on which data set a row was measured."""
ABSENT = Cell("-", "missing")


def by_dataset(summary: pd.DataFrame, rows: str) -> list[Table]:
    """Return two tables per metric: over all buckets of each data set, and bucket by bucket.

    `summary` is that of `reports.datasets.summary_of`, and `rows` says in the titles what stands in
    a row. Only the composite is shown. The numbers behind both stand in the second.
    """
    shown = summary[summary["region"] == "composite"]
    methods = list(dict.fromkeys(shown["method"]))
    over_all = shown[shown["bucket"] == ALL]
    tables = by_bucket(over_all.assign(bucket=over_all["dataset"]), methods=methods)
    single: dict[str, list[Table]] = {}
    for keys, part in shown.groupby(KEYS, sort=False, observed=True):
        for table in by_bucket(part):
            data = table.data.assign(**dict(zip(KEYS, map(str, keys), strict=True)))
            single.setdefault(table.title, []).append(replace(table, data=data))
    made = []
    for table in tables:
        if table.header:
            made += [_over_all(table, rows), _stacked(single[table.title], rows)]
        else:  # measured nowhere: the reason is told once
            made.append(replace(table, data=pd.DataFrame()))
    return made


def _over_all(table: Table, what: str) -> Table:
    """Return the table over all buckets with the number of seeds of each method, and no data."""
    rows = [[row[0], _seeds(table.data, row[0].text), *row[1:]] for row in table.rows]
    header = [table.header[0], "seeds", *table.header[1:]]
    title = f"{table.title}, {what}"
    return replace(table, title=title, header=header, rows=rows, data=pd.DataFrame())


def _stacked(tables: list[Table], what: str) -> Table:
    """Return one table of those of single data sets, with columns for set, seeds and pairs."""
    buckets = list(dict.fromkeys(_bucket(h) for table in tables for h in table.header[1:]))
    rows = []
    for table in tables:
        dataset = Cell(table.data["dataset"].iloc[0])
        places = {_bucket(name): n for n, name in enumerate(table.header)}
        for row in table.rows:
            cells = [row[places[name]] if name in places else ABSENT for name in buckets]
            method = row[0].text
            rows.append(
                [dataset, row[0], _seeds(table.data, method), *cells, _pairs(table.data, method)]
            )
    data = pd.concat([table.data for table in tables]).drop(columns="reported")
    return Table(
        f"{tables[0].title}, {what} and bucket",
        ["data set", "method", "seeds", *buckets, "pairs"],
        rows,
        "± and marks are within each data set; pairs are those of all buckets together.",
        data[[*KEYS, *(name for name in data if name not in KEYS)]],
    )


def _bucket(header: str) -> str:
    """Return a column's bucket, without the number of pairs."""
    return header.partition(" n=")[0]


def _seeds(data: pd.DataFrame, method: str) -> Cell:
    """Return the numbers of seeds of a method, such as `3`, or `3/1` where they differ."""
    counts = data.loc[(data["method"] == method) & (data["seeds"] > 0), "seeds"]
    return Cell("/".join(map(str, dict.fromkeys(counts)))) if len(counts) else ABSENT


def _pairs(data: pd.DataFrame, method: str) -> Cell:
    """Return the number of a method's test pairs in all buckets together."""
    own = data[(data["method"] == method) & (data["bucket"] == ALL)]
    return Cell("/".join(map(str, own["n"] + own["perfect"])), "measured")
