"""The data sets of a report: their names, and the runs that are joined over several of them.

A data set is one set of test pairs, known by the hash of its manifest. A run's own test pairs count
as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from bench.core.files import read_json, write_text
from bench.core.run_folder import RunFolder
from reports.analysis.distances import over_data_sets
from reports.analysis.summary import INTERVALS, summarise
from reports.measured import distances_of, records_of
from reports.provenance import groups, images, masks, warnings
from reports.tables import formats
from reports.tables.datasets import by_dataset
from reports.tables.distances import distances_by_dataset
from reports.tables.formats import Table

PARTS = ("test pairs", "data.pairs", "data.test_images", "data.test_masks")
"""Parts of an identity that say which test pairs a run is measured on."""
TRAINED_ON = ("training images", "training masks", "data.images", "data.masks")
"""Parts of an identity that say what a run is trained on."""
ONE_TRAINING, OWN_TRAINING = "by data set", "each trained on its own data set"
"""Which trainings a row has, in the titles of tables: one, or another in each column."""


class Joined(NamedTuple):
    """Runs that are measured on several data sets, and differ in nothing else but the data."""

    rows: str
    """Which trainings a row has."""
    settings: str
    """Digest of what all runs share."""
    runs: list[RunFolder]
    names: Mapping[str, str]
    """Name of each data set by the hash of its manifest, in the order of the tables."""
    tables: list[Table]


def across(runs: Sequence[RunFolder]) -> list[Joined]:
    """Return the groups of runs that are measured on several data sets, with their tables.

    A row is one training, or has the trainings on the data set of each column, as a sweep over data
    sets makes them.
    """
    one = groups(runs, but_for=PARTS)
    found = [_join(ONE_TRAINING, *group) for group in one.items() if _on_several(group[1])]
    own_pairs = [run for run in runs if "weights" not in run.read_identity()]
    own = groups(own_pairs, but_for=(*PARTS, *TRAINED_ON))
    return found + [_join(OWN_TRAINING, *group) for group in own.items() if _one_each(group[1])]


def _join(rows: str, settings: str, runs: list[RunFolder]) -> Joined:
    names = names_of(runs)
    tables = [
        *by_dataset(summary_of(records_of(runs), names), rows),
        *distances_by_dataset(over_data_sets(distances_of(runs), names), rows),
    ]
    return Joined(rows, settings, runs, names, tables)


def _on_several(runs: Sequence[RunFolder]) -> bool:
    """Return whether a method is measured on several data sets: a trained one, if there is any."""
    pairs: dict[str, set[str]] = {}
    for run in [run for run in runs if run.trained] or runs:
        pairs.setdefault(run.method, set()).add(hash_of(run))
    return any(len(found) > 1 for found in pairs.values())


def _one_each(runs: Sequence[RunFolder]) -> bool:
    """Return whether there are trainings on several data sets, and those on one for each column."""
    trained = [run for run in runs if run.trained]
    found = {(hash_of(run), run.read_identity()["training images"]) for run in trained}
    columns, trained_on = ({item[n] for item in found} for n in (0, 1))
    return len(trained_on) > 1 and len(columns) == len(found)


def tables_with(runs: Sequence[RunFolder], found: Sequence[Joined]) -> list[Table]:
    """Return the tables across data sets in which all of some runs stand."""
    paths = {run.path for run in runs}
    return [t for one in found if paths <= {run.path for run in one.runs} for t in one.tables]


def write(found: Sequence[Joined], out: Path) -> str:
    """Write the tables as `datasets.md`, `.tex` and `.csv`, and return their text, or none."""
    if not found:
        return ""
    text = "\n\n".join(map(_text, found)) + "\n"
    tables = [table for one in found for table in one.tables]
    write_text(out / "datasets.md", text)
    write_text(out / "datasets.tex", formats.latex(tables))
    told = [
        replace(table, data=table.data.assign(rows=one.rows, settings=one.settings))
        for one in found
        for table in one.tables
    ]
    write_text(out / "datasets.csv", formats.csv(told))
    return text


def _text(one: Joined) -> str:
    """Return the tables of some runs, with a line for each data set below."""
    run_of = {hash_of(run): run for run in one.runs}
    heading = f"## Data sets side by side, {one.rows}: {'; '.join(one.names.values())}"
    lines = [INTERVALS, *(f"{words(run_of[key])}: test pairs {key}." for key in one.names)]
    below = "\n".join(f"- {line}" for line in lines)
    notes = map(formats.markdown_escaped, warnings(one.runs))
    return "\n\n".join([heading, *notes, *map(formats.markdown, one.tables), below])


def summary_of(measured: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return what `summarise` does for each data set, with its name in the column `dataset`.

    `names` are those of the manifests, in the order of the rows.
    """
    parts = [
        summarise(measured[measured["manifest"] == found]).assign(dataset=name, manifest=found)
        for found, name in names.items()
    ]
    return pd.concat(parts, ignore_index=True)


def names_of(runs: Sequence[RunFolder]) -> dict[str, str]:
    """Return a name for each data set by the hash of its manifest, those of trainings first.

    It is the name of the images, and what else tells it from others with these.
    """
    own_first = sorted(runs, key=lambda run: "training images" not in run.read_identity())
    own_first.sort(key=lambda run: "weights" in run.read_identity())
    first: dict[str, RunFolder] = {}
    for run in own_first:
        first.setdefault(hash_of(run), run)
    parts = {found: _parts(run) for found, run in first.items()}
    names = {found: _apart(own, parts.values()) for found, own in parts.items()}
    counts = Counter(names.values())
    return {f: name if counts[name] == 1 else f"{name}, {f}" for f, name in names.items()}


def words(run: RunFolder) -> str:
    """Return what the test pairs of a run are: `photos, 256 px, masks strokes, 48 pairs`."""
    return ", ".join(_parts(run))


def _parts(run: RunFolder) -> list[str]:
    """Return what is known of the test pairs of a run, images first."""
    if not run.manifest.exists():
        return [images(run)]
    manifest = read_json(run.manifest)
    count = f"{len(manifest['pairs'])} pairs"
    return [images(run), f"{manifest['size']} px", f"masks {masks(run)}", count]


def _apart(own: Sequence[str], others: Iterable[Sequence[str]]) -> str:
    """Return the parts that tell a data set from the others with the same images."""
    alike = [other for other in others if other[0] == own[0]]
    told = [part for part in own[1:] if any(part not in other for other in alike)]
    return ", ".join([own[0], *told])


def hash_of(run: RunFolder) -> str:
    """Return the hash of the manifest of a run's test pairs."""
    return str(run.read_identity()["test pairs"])
