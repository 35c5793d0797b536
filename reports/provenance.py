"""Provenance of a report: which runs, settings and machines its numbers come from.

It also decides which runs may be compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from bench import presets
from bench.config import from_dict
from bench.core.files import read_json
from bench.core.names import source_name
from bench.core.origin import model_file, origin
from bench.core.run_folder import RunFolder
from reports.analysis.summary import INTERVALS

QUICK_NOTE = (
    "Quick preset: tiny networks, about a minute of training. The numbers show that the suite "
    "works; they say nothing about the methods."
)
CHANGED = " with uncommitted changes"
ORIGIN_OF = "origin of "
"""Beginning of the name of a setting that runs of one method alone have in common."""


def groups(runs: Sequence[RunFolder], but_for: Collection[str] = ()) -> dict[str, list[RunFolder]]:
    """Return groups of runs that may stand in one table, keyed by a digest of their settings.

    Two runs may be compared if they agree on every setting that both have. A setting that does not
    concern a method, such as any of training for an algorithm, is not in that run's settings. The
    runs with the most settings start the groups. Each other run joins every group with all of whose
    members it agrees, or else starts a group of its own. `but_for` are settings that do not count.
    """
    compared = {run.path: _compared(run, but_for) for run in runs}
    found: list[list[RunFolder]] = []
    # Of equally many settings, what may disagree by its origin comes before what joins all.
    for run in sorted(runs, key=lambda run: (-len(compared[run.path]), not origin(run))):
        own = compared[run.path]
        homes = [group for group in found if all(_agree(own, compared[r.path]) for r in group)]
        if not homes:
            homes = [[]]
            found += homes
        for group in homes:
            group.append(run)
    # Trained methods come first, in the order given.
    place = {run.path: (not run.trained, number) for number, run in enumerate(runs)}
    # The run that starts a group has all that the group shares.
    keyed = [
        (_digest(compared[group[0].path]), sorted(group, key=lambda run: place[run.path]))
        for group in found
    ]
    return dict(sorted(keyed, key=lambda item: place[item[1][0].path]))


def _compared(run: RunFolder, but_for: Collection[str]) -> dict[str, Any]:
    """Return the settings in which a run must agree with others, where these have them too.

    Runs of one method have one origin: what the suite trained is known by the settings, and weights
    and models from elsewhere are not.
    """
    settings = {name: value for name, value in run.settings.items() if name not in but_for}
    return settings | {f"{ORIGIN_OF}{run.method}": origin(run)}


def _agree(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[name] == other[name] for name in one.keys() & other.keys())


def title(frame: pd.DataFrame, runs: Sequence[RunFolder]) -> str:
    """Return one line with images, presets, the number of test pairs per bucket and their manifest.

    The number is that of the bucket with the most pairs.
    """
    presets = dict.fromkeys(str(_config(run)["preset"]) for run in runs)
    pairs = frame.groupby("bucket", observed=True)["pair"].nunique().max()
    return (
        f"{images(runs[0])}, preset {', '.join(presets)}, {pairs} test pairs per bucket, "
        f"{frame['manifest'].iloc[0]}"
    )


def images(run: RunFolder) -> str:
    """Return the name of the source of a run's test images."""
    data = _config(run)["data"]
    return source_name(data["test_images"] or data["images"])


def masks(run: RunFolder) -> str:
    """Return the name of the test masks of a run that has a manifest: families, or a source."""
    manifest, data = read_json(run.manifest), _config(run)["data"]
    drawn = all("files" not in families for families in manifest["mask_families"].values())
    return (
        str(manifest["mask_source"]) if drawn else source_name(data["test_masks"] or data["masks"])
    )


def margins(runs: Sequence[RunFolder]) -> str:
    """Return the `--margins` that the runs were made with: those of the first that gives any."""
    given = (str(_config(run)["evaluation"].get("margins", "")) for run in runs)
    return next(filter(None, given), "")


def warnings(runs: Sequence[RunFolder]) -> list[str]:
    """Return the warnings that must stand above the numbers.

    They say that a run used the quick preset, or that the runs were made with different torch
    versions, processors or devices, or from different code.
    """
    quick = any(_config(run)["preset"] == "quick" for run in runs)
    found = [QUICK_NOTE] if quick else []
    return [*found, *_machine_warnings(runs), *_code_warnings(runs), *_commit_warnings(runs)]


def _machine_warnings(runs: Sequence[RunFolder]) -> Iterator[str]:
    """Yield a warning for torch, processor and device each, if the runs were made with several."""
    environments = [read_json(run.environment) for run in runs]
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


def _code_warnings(runs: Sequence[RunFolder]) -> Iterator[str]:
    """Yield a warning for each method whose runs have different digests of its code."""
    codes: dict[str, dict[str, list[str]]] = {}
    for run in runs:
        code = run.read_identity()["code"]
        codes.setdefault(run.method, {}).setdefault(code, []).append(run.name)
    for method, made in codes.items():
        if len(made) > 1:
            yield (
                f"The runs of {method} were made by different code ({_listed(made)}): they differ "
                "in more than their seed. Make them again with one version of the code."
            )


def _commit_warnings(runs: Sequence[RunFolder]) -> Iterator[str]:
    """Yield a warning that names the runs by commit, if no single commit holds their code."""
    made: dict[str, list[str]] = {}
    for run in runs:
        made.setdefault(_commit(read_json(run.environment)), []).append(run.name)
    if len(runs) > 1 and (len(made) > 1 or any(CHANGED in commit for commit in made)):
        yield (
            f"No single commit holds the code of all runs of this table ({_listed(made)}): "
            "differences between methods may come from that."
        )


def _listed(made: Mapping[str, Sequence[str]]) -> str:
    """Return runs by what they were made from: `abc: full-0, full-1; def: forward-0`."""
    return "; ".join(f"{origin}: {', '.join(names)}" for origin, names in made.items())


def _commit(environment: Mapping[str, Any]) -> str:
    """Return the commit that a run was made from, and whether files differed from it."""
    commit = environment["commit"][:12] or "unknown"
    return f"commit {commit}{CHANGED if environment['uncommitted changes'] else ''}"


def lines(frame: pd.DataFrame, runs: Sequence[RunFolder]) -> Iterator[str]:
    """Yield what the numbers are, then a line for each run with its settings and its machine."""
    yield INTERVALS
    yield (
        "Outputs are rounded to 8 bits; the composite keeps the known pixels. Test pairs "
        f"{frame['manifest'].iloc[0]}, metric version {frame['metric_version'].iloc[0]}."
    )
    yield from _mask_families(runs[0])  # runs of one table have the same pairs
    for run in runs:
        environment = read_json(run.environment)
        yield (
            f"{run.name}: fingerprint {_fingerprint(run)}, {_budget(run)}"
            f"torch {environment['packages']['torch']}, {environment['device']}, "
            f"{_commit(environment)}.{_departures(run)}{_weights(run)}{_model(run)}{_outputs(run)}"
        )


def _departures(run: RunFolder) -> str:
    """Return a sentence on the weights of a method's own loss that are not the published ones."""
    weights = run.read_identity().get("departures", {})
    if not weights:
        return ""
    named = ", ".join(f"{term} {weight:g}" for term, weight in weights.items())
    return f" Its own loss has other weights than published: {named}."


def _weights(run: RunFolder) -> str:
    """Return a sentence on the weights of an evaluation, which come from a run or from a file."""
    digest = run.read_identity().get("weights")
    if digest is None:
        return ""
    name = read_json(run.environment)["weights"]["run"]
    return f" Its weights are those of {name or 'a file'}, digest {digest}."


def _model(run: RunFolder) -> str:
    """Return a sentence on a model that was not trained here: digest of its file, convention."""
    return f" Its model was not trained here: {model_file(run)}." if model_file(run) else ""


def _outputs(run: RunFolder) -> str:
    """Return sentences on outputs that were made elsewhere: files, and changed known pixels."""
    facts = run.outputs
    if not facts:
        return ""
    files = ", ".join(f"{count} {kind}" for kind, count in facts["formats"].items())
    done = ", ".join(f"{count} {what}" for what, count in facts["conversions"].items())
    command = facts.get("command")
    source = f"the program {command}" if command else "a folder"
    return (
        f" Its outputs come from {source}: {files}{f' ({done})' if done else ''}, digest "
        f"{facts['digest']}. They changed {facts['known pixels changed']:.1%} of the known pixels, "
        f"by {facts['known pixels differ by']:.2f} levels in the mean over all of them; the "
        "composite has the true ones."
    )


def _mask_families(run: RunFolder) -> Iterator[str]:
    """Yield the numbers of test pairs by bucket and mask family, if the run's manifest has them."""
    manifest = read_json(run.manifest) if run.manifest.exists() else {}
    counts: Mapping[str, Mapping[str, int]] = manifest.get("mask_families", {})
    texts = [
        f"{bucket} {', '.join(f'{count} {family}' for family, count in families.items())}"
        for bucket, families in counts.items()
    ]
    if texts:
        yield f"Mask families by bucket, in test pairs: {'; '.join(texts)}."


def _digest(compared: Mapping[str, Any]) -> str:
    settings = {k: v for k, v in compared.items() if v or not k.startswith(ORIGIN_OF)}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]


def _fingerprint(run: RunFolder) -> str:
    """Return the fingerprint of a run."""
    # A run's own records come before those of other methods, so the first row tells.
    return str(pd.read_csv(run.records, nrows=1)["fingerprint"].iloc[0])


def _config(run: RunFolder) -> Mapping[str, Any]:
    """Return a run's config as it was asked for."""
    config: Mapping[str, Any] = read_json(run.config)
    return config


def _budget(run: RunFolder) -> str:
    """Return the preset, the settings changed from it, and the length of the training.

    The text ends with a comma and a blank.
    """
    config = _config(run)
    if not run.trained or origin(run):
        here = " here" if run.outputs or origin(run) else ""
        return f"preset {config['preset']}, not trained{here}, "
    training = config["training"]
    length = f"{training['steps']} steps" if training["steps"] else f"{training['epochs']} epochs"
    changed = presets.changes(from_dict(config))
    # Seed, steps and batch size are told below, whether changed or not.
    changes = ", ".join(
        f"{k}={v}" for k, v in changed.items() if k not in ("seed", "steps", "batch_size")
    )
    return (
        f"preset {config['preset']}{f' with {changes}' if changes else ''}, "
        f"{length} of batch {training['batch_size']}, seed {training['seed']}, "
    )
