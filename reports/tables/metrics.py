"""Tables of metrics by mask-ratio bucket, and of the methods' differences from a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from bench.evaluation.metrics.metric import find, headline_metrics
from reports.analysis.differences import EXPLORATORY, FLOOR
from reports.analysis.summary import interval_note
from reports.analysis.units import ALL
from reports.tables.formats import Cell, Mark, Table

REGIONS = {"composite": "composite", "hole": "hole pixels alone"}
DATA = ["method", "metric", "region", "bucket", "mean", "half_width", "n", "images", "seeds",
        "perfect", "reported", "note"]  # fmt: skip
"""Columns of the numbers behind a metric's table."""
NO_RUN = "no finished run"
"""Note of a method that has no run in a report."""

Row = Mapping[str, Any]


def by_bucket(
    summary: pd.DataFrame, reported: pd.DataFrame | None = None, methods: Sequence[str] = ()
) -> list[Table]:
    """Return one table per metric: methods in rows, buckets in columns, mean ± half-width in cells.

    The best and the second best measured mean of each bucket are marked. Means that are equal as
    printed share the mark. `reported` adds the paper's numbers in columns of their own. `methods`
    are the rows, if they are not those of the summary alone: the others have `-` in every cell.
    """
    unmeasured = set(methods) - set(summary["method"])
    shown = [(metric.name, "composite") for metric in headline_metrics()]
    tables = []
    for metric, region in [*shown, ("psnr", "hole")]:
        part = summary[(summary["metric"] == metric) & (summary["region"] == region)]
        if len(part):
            paper = reported if region == "composite" else None
            own = unmeasured.union(part["method"])
            rows = [method for method in methods if method in own] or _unique(part["method"])
            tables.append(_metric_table(part, metric, region, paper, rows))
    return tables


def by_family(summary: pd.DataFrame) -> list[Table]:
    """Return one table per metric with the mask families of `summarise_families` in columns."""
    tables = by_bucket(summary)
    return [replace(table, title=f"{table.title}, by mask family") for table in tables]


def differences(comparisons: pd.DataFrame, reference: str) -> list[Table]:
    """Return two tables per metric: differences by bucket, and over all buckets with the test.

    `comparisons` is the table of `reports.analysis.differences.paired`.

    Only the composite is shown. A pair's PSNR over the hole differs from that of the composite by
    10 log10 of the hole ratio, which cancels in a difference. Without comparisons the result is one
    table that says why there are none.
    """
    if comparisons.empty:
        return [
            Table(
                f"Differences from {reference}",
                note=f"Not compared: that needs {reference} and another method on the same test "
                "pairs.",
            )
        ]
    composite = comparisons[comparisons["region"] == "composite"]
    tables = []
    for metric in [metric.name for metric in headline_metrics()]:
        part = composite[composite["metric"] == metric]
        if part["n"].any():
            title = f"{_title(metric, 'composite')}: difference from {reference}, {_about(part)}"
            tables += [_all_buckets(part, metric, title), _by_bucket(part, metric, title)]
    return tables


def _about(part: pd.DataFrame) -> str:
    """Return what the verdicts speak of: trained networks, or methods by several trainings."""
    tested = part[(part["family"] != FLOOR) & (part["n"] > 0)]
    seeds = sorted(set(tested["seeds"])) or [1]
    if seeds == [1]:
        return "of these trained networks (one seed)"
    return f"of the methods (over {'-'.join(map(str, dict.fromkeys([seeds[0], seeds[-1]])))} seeds)"


def _title(metric: str, region: str) -> str:
    known = find(metric)
    return f"{known.title} ({known.direction}), {REGIONS[region]}"


def _metric_table(
    part: pd.DataFrame,
    metric: str,
    region: str,
    reported: pd.DataFrame | None,
    methods: Sequence[str],
) -> Table:
    title = _title(metric, region)
    grid = _grid(part, metric, region, reported, methods)
    data = grid.rename(columns={"half": "half_width"})[DATA]
    if not (part["n"] + part["perfect"]).any():
        reasons = sorted(set(part["note"]) - {""}) or ["no value"]
        return Table(title, note=f"not measured: {'; '.join(reasons)}", data=data)
    buckets = _unique(part["bucket"])
    pairs = part.assign(n=part["n"] + part["perfect"])
    columns = {f"{b} {_n(pairs, b)}": _measured_column(grid, b, metric) for b in buckets}
    if grid["reported"].notna().any():
        known = [b for b in buckets if b != ALL]
        columns |= {f"paper {b}": _reported_column(grid, b, metric) for b in known}
    return _table(title, methods, columns, interval_note(part), data)


def _grid(
    part: pd.DataFrame,
    metric: str,
    region: str,
    reported: pd.DataFrame | None,
    methods: Sequence[str],
) -> pd.DataFrame:
    """Return a row per method and bucket, run or not, with the paper's number in `reported`."""
    keys = ["method", "bucket"]
    pairs = pd.MultiIndex.from_product([methods, _unique(part["bucket"])], names=keys)
    grid = part.set_index(keys).reindex(pairs).reset_index()
    note = grid["note"].fillna("not run").where(grid["method"].isin(part["method"]), NO_RUN)
    grid = grid.assign(metric=metric, region=region, note=note)
    counts = ["n", "images", "perfect", "seeds"]
    grid[counts] = grid[counts].fillna(0).astype(int)
    if reported is None:
        return grid.assign(reported=float("nan"))
    return grid.merge(reported[reported["metric"] == metric], how="left", on=[*keys, "metric"])


def _measured_column(grid: pd.DataFrame, bucket: str, metric: str) -> list[Cell]:
    column = grid[grid["bucket"] == bucket]
    digits = find(metric).digits
    printed = [float(f"{mean:.{digits}f}") for mean in column["mean"]]
    marked = marks(pd.Series(printed), find(metric).higher_is_better)
    return [_measured(row, digits, mark) for row, mark in zip(_rows(column), marked, strict=True)]


def marks(printed: pd.Series[float], higher: bool) -> list[Mark]:
    """Return marks for the best and second best of a column; none with fewer than two values."""
    if printed.count() < 2:
        return [""] * len(printed)
    places = printed.rank(method="dense", ascending=not higher)
    return ["best" if place == 1 else "second" if place == 2 else "" for place in places]


def _measured(row: Row, digits: int, mark: Mark) -> Cell:
    if not row["n"]:
        return Cell(cell_text(row, digits), "missing")
    return Cell(cell_text(row, digits), "measured", mark, row["mean"])


def cell_text(row: Row, digits: int) -> str:
    """Return a row of `summarise` as tables and page print it: mean ± half-width, or a reason."""
    if not row["n"]:
        return _reason(row)
    text = f"{row['mean']:.{digits}f}"
    if row["images"] > 1:
        text += f" ± {row['half']:.{digits}f}"
    if row["perfect"]:
        text += f" (+{row['perfect']} perfect)"
    return text


def _reason(row: Row) -> str:
    if row["perfect"]:
        return "all perfect"
    if row["note"] == NO_RUN:
        return "-"
    return "not run" if row["note"] == "not run" else f"not measured: {row['note'] or 'no value'}"


def _reported_column(grid: pd.DataFrame, bucket: str, metric: str) -> list[Cell]:
    values = grid.loc[grid["bucket"] == bucket, "reported"]
    return [
        Cell("", "missing")
        if pd.isna(v)
        else Cell(f"{v:.{find(metric).digits}f}", "reported", value=v)
        for v in values
    ]


def _n(part: pd.DataFrame, bucket: str) -> str:
    counts = sorted(set(part.loc[part["bucket"] == bucket, "n"]))
    return f"n={'/'.join(map(str, counts))}"


def _all_buckets(part: pd.DataFrame, metric: str, title: str) -> Table:
    """Return the primary table: one comparison a method, over all buckets, with its verdict."""
    digits = find(metric).digits + 1
    rows = _rows(part[part["bucket"] == ALL])
    columns = {
        "seeds": _numbers(rows, "seeds", lambda row: str(row["seeds"])),
        "images": _numbers(rows, "images", lambda row: f"{row['images']:,}"),
        "difference": _numbers(rows, "difference", lambda row: _signed(row["difference"], digits)),
        "95 % interval": _numbers(rows, "low", lambda row: _interval(row, digits)),
        "p (Holm)": _numbers(rows, "p_holm", lambda row: _p_value(row["p_holm"])),
        "verdict": [Cell(row["verdict"]) for row in rows],
    }
    left_out = sorted({f"{row['left_out']} for {row['method']}" for row in rows if row["left_out"]})
    note = f"Margin of equality: {rows[0]['margin']:g} {find(metric).unit}".rstrip() + "."
    if left_out:
        note += f" Pairs left out (missing, or perfect): {', '.join(left_out)}."
    return _table(title, _unique(part["method"]), columns, note, part)


def _by_bucket(part: pd.DataFrame, metric: str, title: str) -> Table:
    """Return the exploratory table: difference, interval and verdict in each bucket."""
    digits = find(metric).digits + 1
    single = part[part["bucket"] != ALL]
    columns = {
        f"{bucket} {_n(single, bucket)}": [
            _difference(row, digits) for row in _rows(single[single["bucket"] == bucket])
        ]
        for bucket in _unique(single["bucket"])
    }
    note = (
        "Mean difference [95 % interval]; a word where Holm's correction over methods and buckets "
        "leaves a verdict."
    )
    return _table(f"{title}, by bucket ({EXPLORATORY})", _unique(part["method"]), columns, note)


def _difference(row: Row, digits: int) -> Cell:
    if not row["n"]:
        return Cell(row["verdict"], "missing")
    text = _signed(row["difference"], digits)
    if row["images"] > 1:
        text += f" {_interval(row, digits)}"
    if row["verdict"].partition(" ")[0] in ("better", "worse", "equal"):
        text += f" {row['verdict'].partition(' ')[0]}"
    return Cell(text, "measured", value=row["difference"])


def _numbers(rows: Iterable[Row], name: str, text: Callable[[Row], str]) -> list[Cell]:
    return [
        Cell("-", "missing") if pd.isna(row[name]) else Cell(text(row), "measured", "", row[name])
        for row in rows
    ]


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def _interval(row: Row, digits: int) -> str:
    return f"[{_signed(row['low'], digits)}, {_signed(row['high'], digits)}]"


def _p_value(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _table(
    title: str,
    methods: Sequence[str],
    columns: Mapping[str, Sequence[Cell]],
    note: str,
    data: pd.DataFrame | None = None,
) -> Table:
    """Return a table with a row per method, from the cells of each column."""
    rows = list(zip(map(Cell, methods), *columns.values(), strict=True))
    return Table(title, ["method", *columns], rows, note, pd.DataFrame() if data is None else data)


def _rows(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    return frame.to_dict("records")


def _unique(column: pd.Series[str]) -> list[str]:
    return list(dict.fromkeys(column))
