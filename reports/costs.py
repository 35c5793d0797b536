"""The table of what methods cost."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench.files import read_json
from reports.markdown import table


def cost_table(folders: Iterable[Path]) -> str:
    """Parameters, multiply-adds, time and memory from the runs' `cost.json`; empty without any."""
    files = [folder / "cost.json" for folder in folders]
    found = [read_json(file) for file in files if file.exists()]
    costs = list({cost["method"]: cost for cost in found}.values())  # seeds cost the same
    if not costs:
        return ""
    devices = ", ".join(dict.fromkeys(cost["device"] for cost in costs))
    size = costs[0]["size"]
    header = ["method", "parameters", "multiply-adds, G", f"ms per {size}x{size} image",
              "peak memory, MiB"]  # fmt: skip
    rows = [
        [
            cost["method"],
            f"{cost['parameters']:,}" if cost["parameters"] else "-",
            f"{cost['multiply_adds'] / 1e9:.2f}" if cost["multiply_adds"] else "-",
            f"{cost['milliseconds']:.1f}",
            "not told" if cost["peak_mib"] is None else f"{cost['peak_mib']:.0f}",
        ]
        for cost in costs
    ]
    note = (
        f"On {devices}: one image, batch 1, float32, a box of a quarter as its hole; median of 5. "
        "Multiply-adds are those of convolutions and matrix products; memory is what the process "
        "(on a GPU: its allocator) grew by at its peak, weights and libraries included."
    )
    return f"**Cost of filling one image**\n\n{table(header, rows)}\n\n{note}"
