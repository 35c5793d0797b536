"""The table of average ranks, and that of the agreement with the paper's order."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.evaluation.metrics.metric import find
from reports.analysis.ranks import Ranks
from reports.tables.formats import Cell, Table


def rank_table(found: Sequence[Ranks]) -> list[Table]:
    """Return a table of average ranks over images, a column per metric; none without ranks."""
    if not found:
        return []
    methods = list(found[0].ranks.index)
    columns = [f"{find(r.metric).label}, {r.images} images" for r in found]
    rows = [
        [
            Cell(method),
            *(
                Cell(f"{r.ranks[method]:.2f}", "measured", value=float(r.ranks[method]))
                if method in r.ranks
                else Cell("-", "missing")
                for r in found
            ),
        ]
        for method in methods
    ]
    facts = "; ".join(
        f"{find(r.metric).label}: critical difference {r.difference:.2f}, Friedman p "
        f"{'<0.001' if r.p < 0.001 else f'{r.p:.3f}'}"
        for r in found
    )
    note = (
        "Rank of each method on each image, 1 is best, averaged over images; ranks closer than the "
        f"critical difference (Nemenyi, 5 %) cannot be told apart. {facts}."
    )
    data = pd.concat([r.ranks.rename("rank").reset_index().assign(metric=r.metric) for r in found])
    return [Table("Average ranks over images", ["method", *columns], rows, note, data)]


def agreement_table(found: pd.DataFrame) -> list[Table]:
    """Return a table of the rank correlation with the paper's order; none where there is none."""
    if found.empty:
        return []
    buckets = list(dict.fromkeys(found["bucket"]))
    cells = found.set_index(["metric", "bucket"])
    rows = [
        [Cell(find(metric).label), *(_cell(cells, metric, bucket) for bucket in buckets)]
        for metric in dict.fromkeys(found["metric"])
    ]
    counts = "-".join(map(str, dict.fromkeys([found["methods"].min(), found["methods"].max()])))
    note = (
        f"Spearman's rank correlation of the measured means with the paper's over {counts} "
        "methods, and its one-sided p by permutation: 1 is the paper's order, 0 none."
    )
    return [Table("Agreement with the paper's order", ["metric", *buckets], rows, note, found)]


def _cell(cells: pd.DataFrame, metric: str, bucket: str) -> Cell:
    if (metric, bucket) not in cells.index:
        return Cell("", "missing")
    rho, p = cells.loc[(metric, bucket), ["rho", "p"]].to_numpy(float)
    return Cell(f"{rho:+.2f} (p {p:.3f})".replace("-", "−"), "measured", value=float(rho))
