"""Reports of one run, and of many runs together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

import pandas as pd

from bench.core.files import read_json, write_text
from bench.core.run_folder import PairPictures, RunFolder
from bench.evaluation import records
from bench.evaluation.margins import margins
from bench.evaluation.metrics.metric import headline_metrics
from bench.registry import Algorithm, discover, floors, reference
from reports import datasets, figures, plots, provenance
from reports.analysis.differences import comparison_note, paired
from reports.analysis.distances import over_seeds
from reports.analysis.quality import smooth_curves
from reports.analysis.ranks import Ranks, agreement, average_ranks
from reports.analysis.summary import summarise, summarise_families
from reports.expected import Expected, missing_in, rows
from reports.expected import notes as missing_notes
from reports.measured import distances_of, records_of
from reports.page import Section
from reports.page import write as write_page
from reports.paper import reported
from reports.paper.reported import Reported
from reports.style import colour
from reports.tables import formats
from reports.tables.costs import cost_table
from reports.tables.distances import distance_tables
from reports.tables.formats import Table
from reports.tables.metrics import by_bucket, by_family, differences
from reports.tables.ranks import agreement_table, rank_table

INSIDE = ("unlearned", "forward", "full")
"""Variants that the paper's figure 7 looks inside."""


def run_report(run: RunFolder) -> str:
    """Write table, plot, grid and curves of one run or evaluation; return the table.

    The plots are PNG alone: they are for a look at the run, and vectors take most of the time.
    """
    frame = records.read([run.records])
    summary, title = summarise(frame), provenance.title(frame, [run])
    text = _run_text(run, frame, summary)
    write_text(run.path / "table.md", text)
    plots.metric_by_bucket(summary, title, plot_of(run))
    shown = {str(frame["method"].iloc[0]): run.pictures}
    if not figures.grid(shown, frame, figures.first_pairs(shown, frame, 2), grid_of(run)):
        grid_of(run).unlink(missing_ok=True)  # it would show pictures that the run has no more
    if run.log.exists():
        plots.training_curves(*_logs(run), run.name, run.path / "curves.png")
    return text


def run_text(run: RunFolder) -> str:
    """Return the tables of one run as `run_report` does; nothing is written."""
    frame = records.read([run.records])
    return _run_text(run, frame, summarise(frame))


def _run_text(run: RunFolder, frame: pd.DataFrame, summary: pd.DataFrame) -> str:
    name = str(frame["method"].iloc[0])
    lines, notes = provenance.lines(frame, [run]), provenance.warnings([run])
    tables = [*by_bucket(summary), *distance_tables(over_seeds(distances_of([run])))]
    return _text(f"{name}: {run.name}", notes, tables, lines)


def plot_of(run: RunFolder) -> Path:
    """Return the path of one run's plot of metrics by bucket."""
    return run.path / "plot.png"


def grid_of(run: RunFolder) -> Path:
    """Return the path of one run's grid of pictures."""
    return run.path / "grid.png"


def places(run: RunFolder) -> str:
    """Return lines that say where one run's plot and its grid of pictures are, as far as there."""
    files = {"plot": plot_of(run), "pictures": grid_of(run)}
    return "\n".join(f"{what}: {file}" for what, file in files.items() if file.exists())


def ablation(runs: Sequence[RunFolder], out: Path, expected: Sequence[Expected] = ()) -> str:
    """Write the report of variants with the paper's Table 2 as columns; return the tables.

    Of the runs that are `expected`, the report tells which are missing.
    """
    return _report_groups(runs, out, reported.table2(), expected)


def comparison(runs: Sequence[RunFolder], out: Path, expected: Sequence[Expected] = ()) -> str:
    """Write the report of all methods with the paper's Table 1 and costs; return the tables.

    Of the runs that are `expected`, the report tells which are missing.
    """
    return _report_groups(runs, out, reported.table1(), expected)


def everything(runs: Sequence[RunFolder], out: Path) -> str:
    """Write the ablation and the comparison, if there are runs for them; return their tables."""
    baselines = [run for run in runs if _family(run) == "baseline"]
    variants = [run for run in runs if run not in baselines]
    parts = [ablation(variants, out / "ablation")] if variants else []
    if baselines:
        # As in Table 1, the reference stands for all variants.
        first = [run for run in variants if run.method == reference().name]
        parts.append(comparison([*first, *baselines], out / "comparison"))
    return "\n\n".join(parts)


def _report_groups(
    runs: Sequence[RunFolder], out: Path, paper: Reported, expected: Sequence[Expected]
) -> str:
    """Write a report for each group of runs that may be compared; return their tables.

    Those across data sets come last, if the runs are measured on several.
    """
    joined = datasets.across(runs)
    texts = [
        _report_group(settings, group, out / settings, paper, expected, joined)
        for settings, group in provenance.groups(runs).items()
    ]
    return "\n\n".join(filter(None, [*texts, datasets.write(joined, out)]))


def _report_group(
    settings: str,
    runs: Sequence[RunFolder],
    out: Path,
    paper: Reported,
    expected: Sequence[Expected],
    joined: Sequence[datasets.Joined],
) -> str:
    """Write the whole report of runs that may be compared; return its tables.

    The page also has those of the `joined` across data sets in which all the runs stand.
    """
    first = reference().name
    everything_measured = records_of(runs)
    frame = _headline(everything_measured)
    summary, title = (
        summarise(everything_measured),
        provenance.title(frame, runs),
    )
    compared = against_reference(everything_measured, runs)
    ranks = list(average_ranks(frame, {method.name for method in floors()}))
    missing = missing_in(runs, expected)
    methods = rows(list(summary["method"].unique()), missing, expected, first)
    # Without a method of the paper there is no row to print its numbers in.
    numbers = paper.numbers if set(paper.numbers["method"]) & set(methods) else None
    notes = [
        *(*missing_notes(missing), *provenance.warnings(runs)),
        *([paper.note] if numbers is not None else []),
    ]
    lines = [*provenance.lines(frame, runs), comparison_note(first)]
    kinds = {
        "metrics": by_bucket(summary, numbers, methods),
        "distances": distance_tables(over_seeds(distances_of(runs)), methods),
        "families": by_family(summarise_families(frame)),
        "differences": differences(compared, first),
        "ranks": rank_table(ranks),
        "agreement": agreement_table(agreement(summary, paper.numbers)),
        "costs": [table for table in [cost_table(costs_of(runs))] if table],
    }
    pairs = frame["manifest"].iloc[0]
    heading = f"{datasets.words(runs[0])} (settings {settings}, test pairs {pairs})"
    text = _text(heading, notes, [table for kind in kinds.values() for table in kind], lines)
    _write_tables(text, kinds, out)
    others = summary[~summary["metric"].isin(frame["metric"].unique())]
    write_text(out / "other-metrics.csv", others.to_csv(index=False))
    drawn = dict(_plots(frame, summary, compared, ranks, runs, title, out / "plots"))
    _figures(frame, runs, first, out / "figures")
    write_page(
        out / "report.html", f"Inpainting methods compared: {title}", frame,
        _sections({**kinds, "data sets": datasets.tables_with(runs, joined)}, drawn, lines),
        _pictures(runs), notes, colour,
    )  # fmt: skip
    return f"{text}\nreport: {out / 'report.html'}"


def against_reference(measured: pd.DataFrame, runs: Sequence[RunFolder]) -> pd.DataFrame:
    """Return every method against the reference, as `paired` does, from the records of the runs."""
    known = discover().values()
    algorithms = {method.name for method in known if isinstance(method, Algorithm)}
    # Outputs from a folder and models from files, which no registry knows, have no seeds either.
    algorithms |= {run.method for run in runs if not run.trained}
    simplest = {method.name for method in floors()}
    asked = margins(provenance.margins(runs))
    return paired(_headline(measured), reference().name, algorithms, simplest, asked)


def _family(run: RunFolder) -> str:
    """Return the family of a run's method by its records: no registry knows a model from a file."""
    first = pd.read_csv(run.records, nrows=1, usecols=["family"])  # its own come first
    return str(first["family"].iloc[0])


def _headline(measured: pd.DataFrame) -> pd.DataFrame:
    """Return the records of the metrics that tables show."""
    return measured[measured["metric"].isin({metric.name for metric in headline_metrics()})]


def _text(heading: str, notes: Sequence[str], found: Sequence[Table], lines: Iterable[str]) -> str:
    below = "\n".join(f"- {line}" for line in lines)
    above = [f"## {heading}", *map(formats.markdown_escaped, notes)]
    return "\n\n".join([*above, *map(formats.markdown, found), below]) + "\n"


def _write_tables(text: str, kinds: Mapping[str, Sequence[Table]], out: Path) -> None:
    write_text(out / "tables.md", text)
    write_text(out / "tables.tex", formats.latex([t for kind in kinds.values() for t in kind]))
    for name, kind in kinds.items():
        if kind:
            write_text(out / f"{name}.csv", formats.csv(kind))


def _plots(
    frame: pd.DataFrame,
    summary: pd.DataFrame,
    compared: pd.DataFrame,
    ranks: Sequence[Ranks],
    runs: Sequence[RunFolder],
    title: str,
    out: Path,
) -> Iterator[tuple[str, Path]]:
    """Draw all plots; yield the heading and the SVG file of each that had something to draw."""
    logs: dict[str, list[tuple[pd.DataFrame, pd.DataFrame]]] = {}
    for run in runs:
        if run.log.exists():
            logs.setdefault(run.method, []).append(_logs(run))
    first = reference().name
    drawn = {
        "By hole ratio": ("by-bucket", plots.metric_by_bucket(summary, title, out / "by-bucket")),
        "By hole ratio, continuous": (
            "by-ratio", plots.metric_by_ratio(smooth_curves(frame), title, out / "by-ratio")
        ),
        f"Difference from {first}": (
            "difference", plots.difference(compared, first, title, out / "difference")
        ),
        "Ranks": ("ranks", plots.rank_diagram(ranks, title, out / "ranks")),
        "Training": ("training", plots.training_by_method(logs, title, out / "training")),
        "Quality and cost": (
            "quality-cost",
            plots.quality_by_cost(summary, costs_of(runs), title, out / "quality-cost"),
        ),
    }  # fmt: skip
    for run in runs:
        if run.scalars.exists():
            scalars, name = pd.read_csv(run.scalars), f"attention-{run.name}"
            done = plots.attention_curves(scalars, run.name, out / name)
            if run.method == first:  # the page shows only the reference's
                drawn["Learned attention"] = (name, done)
    yield from ((heading, out / f"{name}.svg") for heading, (name, done) in drawn.items() if done)


def _figures(frame: pd.DataFrame, runs: Sequence[RunFolder], first: str, out: Path) -> None:
    """Draw the paper's figures: side by side (4, 5, 10, 11), failures (12), maps (7, 8)."""
    shown = _pictures(runs)
    figures.grid(shown, frame, figures.first_pairs(shown, frame), out / "side-by-side.png")
    # Failures are the reference's; a report without it shows those of its first method.
    judged = first if first in shown else next(iter(shown))
    worst = figures.worst_pairs(shown, frame, judged)
    figures.grid(shown, frame, worst, out / f"worst-of-{judged}.png")
    inside = {name: shown[name] for name in INSIDE if name in shown}
    figures.maps(inside, "features", out / "features.png")
    figures.maps({n: p for n, p in inside.items() if n == first}, "mask", out / "masks.png")


def _pictures(runs: Sequence[RunFolder]) -> dict[str, PairPictures]:
    """Return the folder of each method's pictures, from the first of its runs."""
    found: dict[str, PairPictures] = {}
    for run in runs:
        found.setdefault(run.method, run.pictures)
    return found


def costs_of(runs: Sequence[RunFolder]) -> list[Mapping[str, object]]:
    """Return the measured cost of every run that has one."""
    return [read_json(run.cost) for run in runs if run.cost.exists()]


def _logs(run: RunFolder) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.read_csv(run.log), pd.read_csv(run.validation)


def _sections(
    kinds: Mapping[str, Sequence[Table]], drawn: Mapping[str, Path], lines: Iterable[str]
) -> list[Section]:
    """Return the page's sections: each kind of table, each plot, and the provenance."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return [
        *(
            Section(name.capitalize(), "\n".join(map(formats.html, kind)))
            for name, kind in kinds.items() if kind
        ),
        *(Section(heading, "", svg) for heading, svg in drawn.items()),
        Section("Provenance", f"<ul>{items}</ul>"),
    ]  # fmt: skip
