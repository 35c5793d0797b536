"""Tables by mask-ratio bucket, in Markdown that also reads well in a terminal."""

from __future__ import annotations

import pandas as pd

from reports.markdown import table

TITLES = {
    ("psnr", "composite"): "PSNR, dB (higher is better), composite",
    ("ssim", "composite"): "SSIM (higher is better), composite",
    ("l1_percent", "composite"): "mean L1, % (lower is better), composite",
    ("lpips_alex", "composite"): "LPIPS, AlexNet (lower is better), composite",
    ("lpips_vgg", "composite"): "LPIPS, VGG-16 (lower is better), composite",
    ("lpips", "composite"): "LPIPS (lower is better), composite",
    ("psnr", "hole"): "PSNR, dB (higher is better), hole pixels alone",
}
"""The blocks of a table, in their order."""
DIGITS = {"psnr": 2, "ssim": 3, "l1_percent": 2}


def by_bucket(summary: pd.DataFrame, reported: pd.DataFrame | None = None) -> str:
    """One block per metric: methods in rows, buckets in columns, mean ± half-width of the interval.

    `reported` adds the paper's numbers in columns of their own.
    """
    blocks = []
    for (metric, region), title in TITLES.items():
        part = summary[(summary["metric"] == metric) & (summary["region"] == region)]
        if len(part):
            paper = reported if region == "composite" else None
            blocks.append(f"**{title}**\n\n{_block(part, metric, paper)}")
    return "\n\n".join(blocks)


def _block(part: pd.DataFrame, metric: str, reported: pd.DataFrame | None) -> str:
    notes = sorted(
        {note for note, n in zip(part["note"], part["n"], strict=True) if note and not n}
    )
    if notes and not part["n"].any():
        return f"not measured: {'; '.join(notes)}"
    buckets = list(dict.fromkeys(part["bucket"]))
    cells = {(r.method, r.bucket): r for r in part.itertuples()}
    paper = {} if reported is None else _paper(reported, metric)
    header = ["method", *(f"{b} n={_n(part, b)}" for b in buckets)]
    header += [f"paper {b}" for b in buckets] if paper else []
    rows = []
    for method in dict.fromkeys(part["method"]):
        row = [method, *(_cell(cells.get((method, bucket)), metric) for bucket in buckets)]
        if paper:
            row += [paper.get((method, bucket), "") for bucket in buckets]
        rows.append(row)
    return table(header, rows)


def _cell(row: object, metric: str) -> str:
    if row is None:
        return "not run"
    values = row._asdict()  # type: ignore[attr-defined]
    digits = DIGITS.get(metric, 3)
    if not values["n"]:
        return "all perfect" if values["perfect"] else values["note"] or "no value"
    text = f"{values['mean']:.{digits}f}"
    if values["n"] > 1:
        text += f" ± {values['half']:.{digits}f}"
    return text + (f" (+{values['perfect']} perfect)" if values["perfect"] else "")


def _n(part: pd.DataFrame, bucket: str) -> str:
    counts = sorted(set((part["n"] + part["perfect"])[part["bucket"] == bucket]))
    return "/".join(str(n) for n in counts)


def _paper(reported: pd.DataFrame, metric: str) -> dict[tuple[str, str], str]:
    digits = DIGITS.get(metric, 3)
    rows = reported[reported["metric"] == metric]
    return {
        (str(method), str(bucket)): f"{value:.{digits}f}"
        for method, bucket, value in rows[["method", "bucket", "reported"]].itertuples(index=False)
    }
