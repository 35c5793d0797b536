"""The runs that a report should have: where its tables tell of those that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.core.run_folder import RunFolder


@dataclass(frozen=True)
class Expected:
    """A run that a report should have, whether or not it is there."""

    run: str
    """Name of its folder."""
    method: str
    tag: str
    """Words in its name that tell it from runs with other settings; may be empty."""
    missing: str = ""
    """Why it is missing, such as `failed: the training diverged`; empty if it is there."""


def missing_in(group: Sequence[RunFolder], expected: Sequence[Expected]) -> list[Expected]:
    """Return the missing runs that would stand in the tables of a group of runs.

    They have the tag of a run of the group. A missing run whose tag no run has stands in all groups
    instead: it would have made another one, whose settings nothing tells.
    """
    names = {run.name for run in group}
    here = {known.tag for known in expected if known.run in names}
    anywhere = {known.tag for known in expected if not known.missing}
    return [
        known
        for known in expected
        if known.missing and (known.tag in here or known.tag not in anywhere)
    ]


def notes(missing: Sequence[Expected]) -> list[str]:
    """Return a note on each missing run, with the reason."""
    return [f"Missing: {known.run}: {known.missing}" for known in missing]


def rows(
    shown: Sequence[str], missing: Sequence[Expected], expected: Sequence[Expected], first: str
) -> list[str]:
    """Return the methods of a table in order, those without any run included.

    `shown` are the methods that have one. Each of the others follows the method before it among the
    expected ones, so that its row stays where it is when the run is made; `first` is before all.
    """
    found, before = list(shown), ""
    absent = {known.method for known in missing}
    for method in sorted(dict.fromkeys(known.method for known in expected), key=first.__ne__):
        if method in absent and method not in found:
            found.insert(found.index(before) + 1 if before else 0, method)
        if method in found:
            before = method
    return found
