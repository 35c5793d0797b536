"""Writes the report of one folder of records, or of many runs together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.config import from_dict, identity
from bench.evaluation import records as record_files
from bench.files import read_json, write_text
from bench.presets import preset
from bench.registry import discover
from reports import figures, plots, reported, tables
from reports.costs import cost_table
from reports.reported import Reported
from reports.summary import summarise

QUICK_NOTE = (
    "Quick preset: tiny networks, about a minute of training. The numbers show that the suite "
    "works; they say nothing about the methods."
)


def one(folder: Path) -> str:
    """Table, plot, grid and curves of one run or evaluation; returns the table."""
    frame = record_files.read([folder / "records.csv"])
    method = str(frame["method"].iloc[0])
    text = _page(f"{method}: {folder.name}", frame, [folder], None)
    write_text(folder / "table.md", text)
    plots.metric_by_bucket(summarise(frame), _plot_title(frame, [folder]), folder / "plot.png")
    figures.grid({method: folder / "pictures"}, frame, folder / "grid.png")
    if (folder / "log.csv").exists():
        losses, validation = (pd.read_csv(folder / f) for f in ("log.csv", "validation.csv"))
        plots.training_curves(losses, validation, folder.name, folder / "curves.png")
    return text


def ablation(folders: Sequence[Path], out: Path) -> str:
    """The variants' table with the paper's Table 2 beside, and a plot; returns the text."""
    return _many(folders, out, reported.table2())


def comparison(folders: Sequence[Path], out: Path) -> str:
    """All methods' table with the paper's Table 1 beside, costs, plot and pictures."""
    return _many(folders, out, reported.table1(), pictures_per_bucket=1)


def everything(folders: Sequence[Path], out: Path) -> str:
    """What there are runs for: the ablation of variants, the comparison with baselines."""
    names = {m.name for m in discover().values() if m.family == "baseline"}
    baselines = [folder for folder in folders if _method(folder) in names]
    variants = [folder for folder in folders if _method(folder) not in names]
    parts = [ablation(variants, out / "ablation")] if variants else []
    if baselines:
        full = [folder for folder in variants if _method(folder) == "full"]
        parts.append(comparison([*full, *baselines], out / "comparison"))
    return "\n\n".join(parts)


def _many(folders: Sequence[Path], out: Path, paper: Reported, pictures_per_bucket: int = 0) -> str:
    for stale in [*out.glob("plot-*.png"), *out.glob("grid-*.png")]:
        stale.unlink()  # of settings that are no longer there
    pages = []
    for settings, group in _groups(folders).items():
        frame = record_files.read(folder / "records.csv" for folder in group)
        # What is measured beside the variants stands below them.
        frame = frame.sort_values("family", key=lambda f: f != "variant", kind="stable")
        title = f"Settings {settings}, test pairs {frame['manifest'].iloc[0]}"
        pages.append(_page(title, frame, group, paper))
        plots.metric_by_bucket(
            summarise(frame), _plot_title(frame, group), out / f"plot-{settings}.png"
        )
        if pictures_per_bucket:
            shown = {_method(folder): folder / "pictures" for folder in group}
            figures.grid(shown, frame, out / f"grid-{settings}.png", pictures_per_bucket)
    text = "\n\n".join(pages)
    write_text(out / "table.md", text)
    return text


def _groups(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """Runs that may stand in one table, by a digest of what they share.

    Trained ones share all but the method and the seed. An algorithm that is not trained stands
    beside all that were measured on its test pairs, in the same way.
    """
    groups: dict[str, list[Path]] = {}
    algorithms = []
    for folder in folders:
        if _trained(folder):
            groups.setdefault(_digest(_settings(folder)), []).append(folder)
        else:
            algorithms.append(folder)
    for folder in algorithms:
        asked = _settings(folder)
        homes = [g for g in groups.values() if asked.items() <= _settings(g[0]).items()]
        for group in homes or [groups.setdefault(_digest(asked), [])]:
            group.append(folder)
    return groups


def _settings(folder: Path) -> dict[str, Any]:
    """All that a run was asked for, but for the method, its code and the seed."""
    identity = read_json(folder / "identity.json")
    return {k: v for k, v in identity.items() if k not in ("method", "code", "training.seed")}


def _trained(folder: Path) -> bool:
    """Whether its method learned from training images."""
    return "training images" in read_json(folder / "identity.json")


def _digest(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]


def _method(folder: Path) -> str:
    return str(read_json(folder / "identity.json")["method"])


def _page(title: str, frame: pd.DataFrame, folders: Sequence[Path], paper: Reported | None) -> str:
    summary = summarise(frame)
    parts = [f"## {title}"]
    if any(_config(folder).get("preset") == "quick" for folder in folders):
        parts.append(QUICK_NOTE)
    beside = None
    if paper is not None and set(paper.numbers["method"]) & set(summary["method"]):
        beside = paper.numbers
        parts.append(
            f"Columns headed *paper* are what Xie et al. (2019), {paper.title}, report on "
            f"{paper.data}: other data, training and masks, so not comparable number by number."
        )
    parts.append(tables.by_bucket(summary, beside))
    parts += [part for part in [cost_table(folders)] if part]
    return "\n\n".join([*parts, _provenance(frame, folders)]) + "\n"


def _provenance(frame: pd.DataFrame, folders: Sequence[Path]) -> str:
    lines = [
        "Mean ± 95 % interval over test pairs (Student's t); n is the number of pairs. Outputs are "
        "rounded to 8 bits; composite keeps the known pixels.",
        f"Test pairs {frame['manifest'].iloc[0]}, "
        f"metric version {frame['metric_version'].iloc[0]}.",
    ]
    for folder in folders:
        environment = read_json(folder / "environment.json")
        lines.append(
            f"{folder.name}: fingerprint {_fingerprint(folder)}, {_budget(folder)}"
            f"torch {environment['packages']['torch']}, {environment['device']}, "
            f"commit {environment['commit'][:12] or 'unknown'}"
            f"{' with uncommitted changes' if environment['uncommitted changes'] else ''}."
        )
    return "\n".join(f"- {line}" for line in lines)


def _fingerprint(folder: Path) -> str:
    """That of a run's records; its own come before those of what is measured beside."""
    return str(pd.read_csv(folder / "records.csv", nrows=1)["fingerprint"].iloc[0])


def _config(folder: Path) -> Mapping[str, Any]:
    """A run's config; empty for an evaluation of weights."""
    path = folder / "config.json"
    config: Mapping[str, Any] = read_json(path) if path.exists() else {}
    return config


def _budget(folder: Path) -> str:
    """The preset, what was changed of it, and how long the training was."""
    config = _config(folder)
    if not config:
        return ""
    if not _trained(folder):
        return f"preset {config['preset']}, not trained, "
    training = config["training"]
    length = f"{training['steps']} steps" if training["steps"] else f"{training['epochs']} epochs"
    own, usual = identity(from_dict(config)), identity(preset(config["preset"]))
    changed = {name.partition(".")[2]: own[name] for name in own if own[name] != usual[name]}
    changes = ", ".join(
        f"{k}={v}" for k, v in changed.items() if k not in ("seed", "steps", "batch_size")
    )
    return (
        f"preset {config['preset']}{f' with {changes}' if changes else ''}, "
        f"{length} of batch {training['batch_size']}, seed {training['seed']}, "
    )


def _plot_title(frame: pd.DataFrame, folders: Sequence[Path]) -> str:
    presets = dict.fromkeys(str(_config(f).get("preset", "weights")) for f in folders)
    pairs = frame.groupby("bucket")["pair"].nunique().max()
    return (
        f"composite, mean and 95 % interval over {pairs} test pairs per bucket, "
        f"preset {', '.join(presets)}, test pairs {frame['manifest'].iloc[0]}"
    )
