"""The table of the methods' costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from reports.tables.formats import Cell, Table


def cost_table(found: Iterable[Mapping[str, Any]]) -> Table | None:
    """Return the table of each method's costs; None without any cost.

    It has parameters, multiply-adds in G, ms per image and peak memory in MiB. `found` are the
    measured costs of runs (`bench.profiling.cost.Cost` as a mapping).
    """
    costs = list({cost["method"]: cost for cost in found}.values())  # seeds cost the same
    if not costs:
        return None
    devices = ", ".join(dict.fromkeys(cost["device"] for cost in costs))
    size = costs[0]["size"]
    header = ["method", "parameters", "multiply-adds, G", f"ms per {size}x{size} image",
              "peak memory, MiB"]  # fmt: skip
    note = (
        f"On {devices}: one image (batch 1, float32), whose hole is a box over a quarter of it; "
        "median of 5. Multiply-adds count convolutions and matrix products. Memory is the largest "
        "growth of the process (on a GPU: of its allocator), with weights and libraries."
    )
    # An algorithm that is not a network has neither parameters nor counted multiply-adds.
    rows = [
        [
            Cell(cost["method"]),
            _number(cost["parameters"] or None, ",", "-"),
            _number(cost["multiply_adds"] / 1e9 or None, ".2f", "-"),
            _number(cost["milliseconds"], ".1f", "-"),
            _number(cost["peak_mib"], ".0f", "unknown"),
        ]
        for cost in costs
    ]
    return Table("Cost of filling one image", header, rows, note, pd.DataFrame(costs))


def _number(value: float | None, spelling: str, missing: str) -> Cell:
    if value is None:
        return Cell(missing, "missing")
    return Cell(f"{value:{spelling}}", "measured", value=value)
