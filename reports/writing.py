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
from reports import figures, plots, reported, tables
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
    figures.grid(folder / "pictures", frame, method, folder / "grid.png")
    if (folder / "log.csv").exists():
        losses, validation = (pd.read_csv(folder / f) for f in ("log.csv", "validation.csv"))
        plots.training_curves(losses, validation, folder.name, folder / "curves.png")
    return text


def many(folders: Sequence[Path], out: Path) -> str:
    """Tables and plots of several runs; runs stand in one table only if all but the method and
    the seed is the same. Returns the text.
    """
    groups: dict[str, list[Path]] = {}
    for folder in folders:
        groups.setdefault(_settings_hash(folder), []).append(folder)
    pages = []
    for settings, group in groups.items():
        frame = record_files.read(folder / "records.csv" for folder in group)
        # What is measured beside the variants stands below them.
        frame = frame.sort_values("family", key=lambda f: f != "variant", kind="stable")
        title = f"Settings {settings}, test pairs {frame['manifest'].iloc[0]}"
        pages.append(_page(title, frame, group, reported.table2()))
        plots.metric_by_bucket(
            summarise(frame), _plot_title(frame, group), out / f"plot-{settings}.png"
        )
    text = "\n\n".join(pages)
    write_text(out / "table.md", text)
    return text


def _settings_hash(folder: Path) -> str:
    """Digest of all that a run was asked for, but for the method, its code and the seed."""
    identity = read_json(folder / "identity.json")
    shared = {k: v for k, v in identity.items() if k not in ("method", "code", "training.seed")}
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:8]


def _page(
    title: str, frame: pd.DataFrame, folders: Sequence[Path], paper: pd.DataFrame | None
) -> str:
    summary = summarise(frame)
    parts = [f"## {title}"]
    if any(_config(folder).get("preset") == "quick" for folder in folders):
        parts.append(QUICK_NOTE)
    if paper is not None and set(paper["method"]) & set(summary["method"]):
        parts.append(
            "Columns headed *paper* are what Xie et al. (2019), Table 2, report on Paris "
            "StreetView: other data, training and masks, so not comparable number by number."
        )
    else:
        paper = None
    parts += [tables.by_bucket(summary, paper), _provenance(frame, folders)]
    return "\n\n".join(parts) + "\n"


def _provenance(frame: pd.DataFrame, folders: Sequence[Path]) -> str:
    lines = [
        "Mean ± 95 % interval over test pairs (Student's t); n is the number of pairs. Outputs are "
        "rounded to 8 bits; composite keeps the known pixels.",
        f"Test pairs {frame['manifest'].iloc[0]}, "
        f"metric version {frame['metric_version'].iloc[0]}.",
    ]
    for folder in folders:
        own = frame.loc[frame["family"] == "variant", ["method", "seed", "fingerprint"]]
        environment = read_json(folder / "environment.json")
        lines.append(
            f"{folder.name}: fingerprint {_fingerprint(folder, own)}, {_budget(_config(folder))}"
            f"torch {environment['packages']['torch']}, {environment['device']}, "
            f"commit {environment['commit'][:12] or 'unknown'}"
            f"{' with uncommitted changes' if environment['uncommitted changes'] else ''}."
        )
    return "\n".join(f"- {line}" for line in lines)


def _fingerprint(folder: Path, own: pd.DataFrame) -> str:
    method = read_json(folder / "identity.json")["method"]
    found = own.loc[own["method"] == method, "fingerprint"]
    return ", ".join(dict.fromkeys(found)) or "none"


def _config(folder: Path) -> Mapping[str, Any]:
    """A run's config; empty for an evaluation of weights."""
    path = folder / "config.json"
    config: Mapping[str, Any] = read_json(path) if path.exists() else {}
    return config


def _budget(config: Mapping[str, Any]) -> str:
    """The preset, what was changed of it, and how long the training was."""
    if not config:
        return ""
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
