"""Writes the report of one run, and of many runs together: tables, plots, figures and the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

import pandas as pd

from bench.core.files import read_json, write_text
from bench.evaluation import records as record_files
from bench.registry import discover
from reports import figures, formats, plots, provenance, reported, statistics, tables
from reports.colours import colour
from reports.costs import cost_table
from reports.formats import Table
from reports.page import Section
from reports.page import write as write_page
from reports.provenance import method
from reports.reported import Reported
from reports.summary import summarise

REFERENCE = "full"
"""What all others are compared with."""
INSIDE = ("unlearned", "forward", REFERENCE)
"""The variants of Fig. 7."""


def one(folder: Path) -> str:
    """Tables, plot, grid and curves of one run or evaluation; returns the tables."""
    frame = record_files.read([folder / "records.csv"])
    name, title = str(frame["method"].iloc[0]), provenance.title(frame, [folder])
    summary = summarise(frame)
    lines, notes = provenance.lines(frame, [folder]), provenance.warnings([folder])
    text = _text(f"{name}: {folder.name}", notes, tables.by_bucket(summary), lines)
    write_text(folder / "table.md", text)
    plots.metric_by_bucket(summary, title, folder / "plot")
    shown = {name: folder / "pictures"}
    figures.grid(shown, frame, figures.first_pairs(shown, frame, 2), folder / "grid.png")
    if (folder / "log.csv").exists():
        plots.training_curves(*_logs(folder), folder.name, folder / "curves")
    return text


def ablation(folders: Sequence[Path], out: Path) -> str:
    """The variants, with the paper's Table 2 beside; returns the tables."""
    return _many(folders, out, reported.table2())


def comparison(folders: Sequence[Path], out: Path) -> str:
    """All methods, with the paper's Table 1 beside, and what each costs; returns the tables."""
    return _many(folders, out, reported.table1())


def everything(folders: Sequence[Path], out: Path) -> str:
    """What there are runs for: the ablation of variants, the comparison with baselines."""
    names = {m.name for m in discover().values() if m.family == "baseline"}
    baselines = [folder for folder in folders if method(folder) in names]
    variants = [folder for folder in folders if method(folder) not in names]
    parts = [ablation(variants, out / "ablation")] if variants else []
    if baselines:
        full = [folder for folder in variants if method(folder) == REFERENCE]
        parts.append(comparison([*full, *baselines], out / "comparison"))
    return "\n\n".join(parts)


def _many(folders: Sequence[Path], out: Path, paper: Reported) -> str:
    found = provenance.groups(folders)
    return "\n\n".join(
        _group(settings, group, out / settings, paper) for settings, group in found.items()
    )


def _group(settings: str, folders: Sequence[Path], out: Path, paper: Reported) -> str:
    """The whole report of runs that may be compared; returns its tables."""
    frame = _records(folders)
    summary, title = summarise(frame), provenance.title(frame, folders)
    beside = paper.numbers if set(paper.numbers["method"]) & set(summary["method"]) else None
    notes = [*provenance.warnings(folders), *([paper.note] if beside is not None else [])]
    lines = [*provenance.lines(frame, folders), statistics.comparison_note(REFERENCE)]
    kinds = {
        "metrics": tables.by_bucket(summary, beside),
        "differences": tables.differences(statistics.paired(frame, REFERENCE), REFERENCE),
        "costs": [table for table in [cost_table(folders)] if table],
    }
    heading = f"Settings {settings}, test pairs {frame['manifest'].iloc[0]}"
    text = _text(heading, notes, [table for kind in kinds.values() for table in kind], lines)
    _write_tables(text, kinds, out)
    drawn = dict(_plots(frame, summary, folders, title, out / "plots"))
    _figures(frame, folders, out / "figures")
    write_page(
        out / "report.html", f"Inpainting methods compared: {title}", frame,
        _sections(kinds, drawn, lines), _pictures(folders), notes, colour,
    )  # fmt: skip
    return f"{text}\nreport: {out / 'report.html'}"


def _records(folders: Sequence[Path]) -> pd.DataFrame:
    """The reference on top; what is measured beside the variants stands below them."""
    frame = record_files.read(folder / "records.csv" for folder in folders)
    place = 2 * (frame["family"] != "variant") - 1 * (frame["method"] == REFERENCE)
    return frame.iloc[place.argsort(kind="stable")]


def _text(heading: str, notes: Sequence[str], found: Sequence[Table], lines: Iterable[str]) -> str:
    below = "\n".join(f"- {line}" for line in lines)
    return "\n\n".join([f"## {heading}", *notes, *map(formats.markdown, found), below]) + "\n"


def _write_tables(text: str, kinds: Mapping[str, Sequence[Table]], out: Path) -> None:
    write_text(out / "tables.md", text)
    write_text(out / "tables.tex", formats.latex([t for kind in kinds.values() for t in kind]))
    for name, kind in kinds.items():
        if kind:
            write_text(out / f"{name}.csv", formats.csv(kind))


def _plots(
    frame: pd.DataFrame, summary: pd.DataFrame, folders: Sequence[Path], title: str, out: Path
) -> Iterator[tuple[str, Path]]:
    """Headings and SVG files of the plots there is something to draw for."""
    runs: dict[str, list[tuple[pd.DataFrame, pd.DataFrame]]] = {}
    for folder in folders:
        if (folder / "log.csv").exists():
            runs.setdefault(method(folder), []).append(_logs(folder))
    files = [folder / "cost.json" for folder in folders]
    costs = [read_json(file) for file in files if file.exists()]
    drawn = {
        "By hole ratio": ("by-bucket", plots.metric_by_bucket(summary, title, out / "by-bucket")),
        "By hole ratio, continuous": (
            "by-ratio", plots.metric_by_ratio(frame, title, out / "by-ratio")
        ),
        f"Difference from {REFERENCE}": (
            "difference", plots.difference_from_full(frame, title, out / "difference")
        ),
        "Training": ("training", plots.training_by_method(runs, title, out / "training")),
        "Quality and cost": (
            "quality-cost", plots.quality_by_cost(frame, costs, title, out / "quality-cost")
        ),
    }  # fmt: skip
    for folder in folders:
        if (folder / "scalars.csv").exists():
            scalars, name = pd.read_csv(folder / "scalars.csv"), f"attention-{folder.name}"
            done = plots.attention_curves(scalars, folder.name, out / name)
            if method(folder) == REFERENCE:  # the page shows one of them
                drawn["Learned attention"] = (name, done)
    yield from ((heading, out / f"{name}.svg") for heading, (name, done) in drawn.items() if done)


def _figures(frame: pd.DataFrame, folders: Sequence[Path], out: Path) -> None:
    """The paper's figures: side by side (4, 5, 10, 11), failures (12), inside (7, 8)."""
    shown = _pictures(folders)
    figures.grid(shown, frame, figures.first_pairs(shown, frame), out / "side-by-side.png")
    judged = REFERENCE if REFERENCE in shown else next(iter(shown))
    worst = figures.worst_pairs(shown, frame, judged)
    figures.grid(shown, frame, worst, out / f"worst-of-{judged}.png")
    inside = {name: shown[name] for name in INSIDE if name in shown}
    figures.maps(inside, "features", out / "features.png")
    figures.maps({n: f for n, f in inside.items() if n == REFERENCE}, "mask", out / "masks.png")


def _pictures(folders: Sequence[Path]) -> dict[str, Path]:
    """Each method's pictures, those of its first seed."""
    found: dict[str, Path] = {}
    for folder in folders:
        found.setdefault(method(folder), folder / "pictures")
    return found


def _logs(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.read_csv(folder / "log.csv"), pd.read_csv(folder / "validation.csv")


def _sections(
    kinds: Mapping[str, Sequence[Table]], drawn: Mapping[str, Path], lines: Iterable[str]
) -> list[Section]:
    """The page's parts: each kind of table, each plot, and where the numbers come from."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return [
        *(
            Section(name.capitalize(), "\n".join(map(formats.html, kind)))
            for name, kind in kinds.items() if kind
        ),
        *(Section(heading, "", svg) for heading, svg in drawn.items()),
        Section("Provenance", f"<ul>{items}</ul>"),
    ]  # fmt: skip
