"""What a run's folder tells of where its numbers come from, and which runs may be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from bench import presets
from bench.config import from_dict
from bench.core.files import read_json
from bench.core.run_folder import RunFolder
from reports.analysis.summary import INTERVALS

QUICK_NOTE = (
    "Quick preset: tiny networks, about a minute of training. The numbers show that the suite "
    "works; they say nothing about the methods."
)


def groups(runs: Sequence[RunFolder]) -> dict[str, list[RunFolder]]:
    """Return runs that may stand in one table, by a digest of the settings that they share.

    Two runs may be compared if they agree on every setting that both have; what does not concern a
    method, such as all of training for an algorithm, is no setting of it. The runs with the most
    settings found the groups, and each other run joins all groups with whose members it agrees.
    """
    found: list[list[RunFolder]] = []
    for run in sorted(runs, key=lambda run: -len(run.settings)):
        homes = [group for group in found if all(_agree(run, other) for other in group)]
        for group in homes or [_new(found)]:
            group.append(run)
    # Trained methods come first, in the order given.
    place = {run.path: (not run.trained, number) for number, run in enumerate(runs)}
    ordered = [sorted(group, key=lambda run: place[run.path]) for group in found]
    ordered.sort(key=lambda group: place[group[0].path])
    return {_digest(max((r.settings for r in group), key=len)): group for group in ordered}


def _new(found: list[list[RunFolder]]) -> list[RunFolder]:
    found.append([])
    return found[-1]


def _agree(one: RunFolder, other: RunFolder) -> bool:
    """Whether two runs have equal values for all settings that both have."""
    first, second = one.settings, other.settings
    return all(first[name] == second[name] for name in first.keys() & second.keys())


def title(frame: pd.DataFrame, runs: Sequence[RunFolder]) -> str:
    """Presets, test pairs and how many of them there are, in one line."""
    presets = dict.fromkeys(str(_config(run).get("preset", "weights")) for run in runs)
    pairs = frame.groupby("bucket")["pair"].nunique().max()
    return (
        f"preset {', '.join(presets)}, {pairs} test pairs per bucket, {frame['manifest'].iloc[0]}"
    )


def warnings(runs: Sequence[RunFolder]) -> list[str]:
    """What must stand above the numbers."""
    quick = any(_config(run).get("preset") == "quick" for run in runs)
    return [*([QUICK_NOTE] if quick else []), *_mixed([read_json(r.environment) for r in runs])]


def _mixed(environments: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line if the runs were made with different torch versions, processors or devices."""
    kinds = {
        "torch": [str(e["packages"]["torch"]) for e in environments],
        "processor": [str(e["processor"]) for e in environments if "processor" in e],
        "device": [str(e["device"]) for e in environments],
    }
    for name, values in kinds.items():
        if len(set(values)) > 1:
            listed = "; ".join(dict.fromkeys(values))
            yield (
                f"The runs of this table were made with more than one {name} ({listed}): small "
                "differences between methods may come from that."
            )


def lines(frame: pd.DataFrame, runs: Sequence[RunFolder]) -> Iterator[str]:
    """What the numbers are, then for each run what it was and where it was made."""
    yield INTERVALS
    yield (
        "Outputs are rounded to 8 bits; composite keeps the known pixels. Test pairs "
        f"{frame['manifest'].iloc[0]}, metric version {frame['metric_version'].iloc[0]}."
    )
    for run in runs:
        environment = read_json(run.environment)
        yield (
            f"{run.name}: fingerprint {_fingerprint(run)}, {_budget(run)}"
            f"torch {environment['packages']['torch']}, {environment['device']}, "
            f"commit {environment['commit'][:12] or 'unknown'}"
            f"{' with uncommitted changes' if environment['uncommitted changes'] else ''}."
        )


def _digest(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]


def _fingerprint(run: RunFolder) -> str:
    """Return the fingerprint of a run: its own records come before those of other methods."""
    return str(pd.read_csv(run.records, nrows=1)["fingerprint"].iloc[0])


def _config(run: RunFolder) -> Mapping[str, Any]:
    """Return a run's config; empty for an evaluation of weights."""
    config: Mapping[str, Any] = read_json(run.config) if run.config.exists() else {}
    return config


def _budget(run: RunFolder) -> str:
    """Return the preset, what was changed of it, and how long the training was."""
    config = _config(run)
    if not config:
        return ""
    if not run.trained:
        return f"preset {config['preset']}, not trained, "
    training = config["training"]
    length = f"{training['steps']} steps" if training["steps"] else f"{training['epochs']} epochs"
    changed = presets.changes(from_dict(config))
    changes = ", ".join(
        f"{k}={v}" for k, v in changed.items() if k not in ("seed", "steps", "batch_size")
    )
    return (
        f"preset {config['preset']}{f' with {changes}' if changes else ''}, "
        f"{length} of batch {training['batch_size']}, seed {training['seed']}, "
    )
