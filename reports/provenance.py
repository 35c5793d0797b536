"""What a run's folder tells of where its numbers come from, and which runs may be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.config import from_dict, identity
from bench.core.files import read_json
from bench.presets import preset
from reports.summary import INTERVALS

QUICK_NOTE = (
    "Quick preset: tiny networks, about a minute of training. The numbers show that the suite "
    "works; they say nothing about the methods."
)


def method(folder: Path) -> str:
    """The method that a run is of."""
    return str(read_json(folder / "identity.json")["method"])


def groups(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """Runs that may stand in one table, by a digest of what they share.

    Trained ones share all but the method and the seed. An algorithm that is not trained stands
    beside all that were measured on its test pairs, in the same way.
    """
    found: dict[str, list[Path]] = {}
    algorithms = []
    for folder in folders:
        if _trained(folder):
            found.setdefault(_digest(_settings(folder)), []).append(folder)
        else:
            algorithms.append(folder)
    for folder in algorithms:
        asked = _settings(folder)
        homes = [g for g in found.values() if asked.items() <= _settings(g[0]).items()]
        for group in homes or [found.setdefault(_digest(asked), [])]:
            group.append(folder)
    return found


def title(frame: pd.DataFrame, folders: Sequence[Path]) -> str:
    """Presets, test pairs and how many of them there are, in one line."""
    presets = dict.fromkeys(str(_config(f).get("preset", "weights")) for f in folders)
    pairs = frame.groupby("bucket")["pair"].nunique().max()
    return (
        f"preset {', '.join(presets)}, {pairs} test pairs per bucket, {frame['manifest'].iloc[0]}"
    )


def warnings(folders: Sequence[Path]) -> list[str]:
    """What must stand above the numbers."""
    quick = any(_config(folder).get("preset") == "quick" for folder in folders)
    return [QUICK_NOTE] if quick else []


def lines(frame: pd.DataFrame, folders: Sequence[Path]) -> Iterator[str]:
    """What the numbers are, then for each run what it was and where it was made."""
    yield INTERVALS
    yield (
        "Outputs are rounded to 8 bits; composite keeps the known pixels. Test pairs "
        f"{frame['manifest'].iloc[0]}, metric version {frame['metric_version'].iloc[0]}."
    )
    for folder in folders:
        environment = read_json(folder / "environment.json")
        yield (
            f"{folder.name}: fingerprint {_fingerprint(folder)}, {_budget(folder)}"
            f"torch {environment['packages']['torch']}, {environment['device']}, "
            f"commit {environment['commit'][:12] or 'unknown'}"
            f"{' with uncommitted changes' if environment['uncommitted changes'] else ''}."
        )


def _settings(folder: Path) -> dict[str, Any]:
    """All that a run was asked for, but for the method, its code and the seed."""
    identity = read_json(folder / "identity.json")
    return {k: v for k, v in identity.items() if k not in ("method", "code", "training.seed")}


def _trained(folder: Path) -> bool:
    """Whether its method learned from training images."""
    return not {"training images", "weights"}.isdisjoint(read_json(folder / "identity.json"))


def _digest(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]


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
