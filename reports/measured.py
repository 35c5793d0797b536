"""The records and the distances of the runs of a report."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.core.run_folder import RunFolder
from bench.evaluation import records
from bench.evaluation.distances import table as distances
from bench.registry import reference
from reports.analysis.units import UNIT


def records_of(runs: Sequence[RunFolder]) -> pd.DataFrame:
    """Return each record once: the reference first, then the other variants, then the baselines."""
    # The references of a report, such as mean-colour, are measured next to every run.
    frame = records.read(run.records for run in runs).drop_duplicates(UNIT)
    # The stable sort keeps the order of the runs within each kind of method.
    place = 2 * (frame["family"] != "variant") - 1 * (frame["method"] == reference().name)
    return frame.iloc[place.argsort(kind="stable")]


def distances_of(runs: Sequence[RunFolder]) -> pd.DataFrame:
    """Return each distance of the runs once; runs of older versions have none."""
    return distances.read(run.distances for run in runs if run.distances.exists())
