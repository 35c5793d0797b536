"""The records as columns of numbers, small enough to stand inside a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.core.errors import UserError
from bench.evaluation.metrics.metric import all_metrics, find
from reports.analysis.summary import summarise
from reports.analysis.units import UNIT
from reports.tables.metrics import cell_text

REGIONS = ("composite", "raw", "hole")
"""Regions in the order in which the page offers them."""


def columns(
    records: pd.DataFrame, pictured: Sequence[int], colours: Callable[[str], str]
) -> dict[str, Any]:
    """Return the data that the page's script reads, ready for JSON.

    Means are those of all records; single test pairs are told of those alone that the page has
    pictures of, whose numbers are `pictured`. So the data grow with the pictures and not with the
    evaluation. `pairs` has one list per property, with one item per pictured pair. Each of `series`
    is a method under one seed, with one metric on one region. Its `values` are aligned with the
    pairs: numbers of 6 significant digits, "Infinity" for a perfect PSNR, null for none. `choices`
    are what a reader may choose of the seeds, each with the cells of the tables; see `_choice`.
    Raise UserError if there are no records, or records of several manifests, whose pairs are not
    the same.
    """
    unique = records.drop_duplicates(UNIT)
    manifests = list(unique["manifest"].unique())
    if not manifests:
        raise UserError("a page needs records, and there are none")
    if len(manifests) > 1:
        raise UserError(
            f"a page shows the records of one manifest, not of several: {', '.join(manifests)}"
        )
    shown = unique[unique["pair"].isin(pictured)]
    pairs = shown.drop_duplicates("pair").sort_values("pair")
    buckets = sorted(unique["bucket"].unique())
    metrics = _metrics(unique)
    methods = list(unique["method"].unique())
    seeds = sorted(unique["seed"].unique().tolist())
    single = [(f"seed {s}", [s], unique[unique["seed"] == s]) for s in seeds if len(seeds) > 1]
    choices = [("all seeds", seeds, unique), *single]
    return {
        "methods": [{"name": name, "colour": colours(name)} for name in methods],
        "buckets": buckets,
        "metrics": [_described(metric, region) for metric, region in metrics],
        "pairs": {
            "number": pairs["pair"].tolist(),
            "bucket": [buckets.index(bucket) for bucket in pairs["bucket"]],
            "ratio": _rounded(pairs["ratio"]),
            "image": pairs["image"].tolist(),
        },
        "series": _series(unique, pairs["pair"].to_numpy(), methods, metrics),
        "choices": [_choice(*choice, methods, metrics, buckets) for choice in choices],
    }


def _choice(
    name: str,
    seeds: list[int],
    records: pd.DataFrame,
    methods: list[str],
    metrics: list[tuple[str, str]],
    buckets: list[str],
) -> dict[str, Any]:
    """Return the means over some seeds: `cells[method][metric][bucket]`, null where not run.

    A cell has n, images, mean, half, perfect and `text`, as the tables print it.
    """
    summary = summarise(records).set_index(["method", "metric", "region", "bucket"])
    rows: dict[Any, Any] = summary.to_dict("index")

    def cell(method: str, metric: str, region: str, bucket: str) -> dict[str, Any] | None:
        row = rows.get((method, metric, region, bucket))
        if row is None:
            return None
        numbers = {key: _rounded([row[key]])[0] for key in ("mean", "half")}
        counts = {key: int(row[key]) for key in ("n", "images", "perfect")}
        return {**counts, **numbers, "text": cell_text(row, find(metric).digits)}

    cells = [[[cell(m, *metric, b) for b in buckets] for metric in metrics] for m in methods]
    return {"name": name, "seeds": seeds, "cells": cells}


def _metrics(records: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the (metric, region) pairs of the records, known ones first in their own order."""
    found = records[["metric", "region"]].drop_duplicates().itertuples(index=False, name=None)
    known = [metric.name for metric in all_metrics()]
    return sorted(found, key=lambda pair: (_place(pair[0], known), _place(pair[1], REGIONS)))


def _place(name: str, known: list[str] | tuple[str, ...]) -> tuple[int, str]:
    return (known.index(name) if name in known else len(known), name)


def _described(metric: str, region: str) -> dict[str, Any]:
    known = find(metric)
    return {
        "metric": metric,
        "region": region,
        "name": known.title,
        "direction": known.direction,
        "digits": known.digits,
    }


def _series(
    records: pd.DataFrame, pairs: np.ndarray, methods: list[str], metrics: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    series = []
    groups: Any = records.groupby(["method", "seed", "metric", "region"], sort=False, observed=True)
    for (method, seed, metric, region), rows in groups:
        notes = [note for note in rows["note"].unique() if isinstance(note, str) and note]
        series.append(
            {
                "method": methods.index(method),
                "seed": int(seed),
                "metric": metrics.index((metric, region)),
                "note": "; ".join(notes),
                # Pairs without a record become NaN, so that all series are aligned.
                "values": _rounded(rows.set_index("pair")["value"].reindex(pairs)),
            }
        )
    return series


def _rounded(values: Any) -> list[float | str | None]:
    """Return values with 6 significant digits; JSON has neither NaN nor infinity."""
    return [
        None if np.isnan(value) else "Infinity" if np.isinf(value) else float(f"{value:.6g}")
        for value in values
    ]
