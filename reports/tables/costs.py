"""The table of what methods cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from reports.tables.formats import Cell, Table


def cost_table(found: Iterable[Mapping[str, Any]]) -> Table | None:
    """Return parameters, multiply-adds, time and memory of each method; None without any cost.

    `found` are the measured costs of runs (`bench.profiling.cost.Cost` as a mapping).
    """
    costs = list({cost["method"]: cost for cost in found}.values())  # seeds cost the same
    if not costs:
        return None
    devices = ", ".join(dict.fromkeys(cost["device"] for cost in costs))
    size = costs[0]["size"]
    header = ["method", "parameters", "multiply-adds, G", f"ms per {size}x{size} image",
              "peak memory, MiB"]  # fmt: skip
    note = (
        f"On {devices}: one image, batch 1, float32, a box of a quarter as its hole; median of 5. "
        "Multiply-adds are those of convolutions and matrix products; memory is what the process "
        "(on a GPU: its allocator) grew by at its peak, weights and libraries included."
    )
    rows = [_row(cost) for cost in costs]
    return Table("Cost of filling one image", header, rows, note, pd.DataFrame(costs))


def _row(cost: Mapping[str, Any]) -> list[Cell]:
    """An algorithm that is no network has neither parameters nor counted multiply-adds."""
    return [
        Cell(cost["method"]),
        _number(cost["parameters"] or None, ",", "-"),
        _number(cost["multiply_adds"] / 1e9 or None, ".2f", "-"),
        _number(cost["milliseconds"], ".1f", "-"),
        _number(cost["peak_mib"], ".0f", "not told"),
    ]


def _number(value: float | None, spelling: str, missing: str) -> Cell:
    if value is None:
        return Cell(missing, "missing")
    return Cell(f"{value:{spelling}}", "measured", value=value)
