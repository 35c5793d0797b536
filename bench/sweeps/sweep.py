"""A sweep: the runs that one command or file describes. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from bench.core.errors import UserError
from bench.core.files import read_json, write_json
from bench.core.run_folder import NAME
from bench.runs.case import Case
from bench.runs.run import Run

DESCRIPTION = "sweep.json"
"""Name of the file that describes a sweep, in the folder of its report."""
Report = Literal["ablation", "comparison"]
"""Kinds of a sweep's report: the paper's Table 2, or its Table 1 with costs."""


@dataclass(frozen=True)
class Entry:
    """One run of a sweep, as the description has it for others: `status` and `report`."""

    run: str
    """Name of the run's folder, which lies next to the sweep's."""
    method: str
    tag: str
    """Words in its name besides method, preset and seed; may be empty."""
    words: list[str]
    """The words after `python -m bench` that make the run."""
    job: str = ""
    """Number of the scheduler's job that was asked to make it, or nothing."""


@dataclass(frozen=True)
class Sweep:
    """Cases that belong together; their report lies in `folder`, next to the runs."""

    folder: Path
    cases: tuple[Case, ...]
    report: Report = "ablation"

    def words(self, case: Case) -> list[str]:
        """Return the words after `python -m bench` that make the run of a case, and no other."""
        return [*case.words(), *(["--cost"] if self.measures_cost else [])]

    @property
    def measures_cost(self) -> bool:
        """Whether each run also measures what it costs to fill an image."""
        return self.report == "comparison"

    def describe(self, jobs: Sequence[str] = ()) -> None:
        """Write the description; `jobs` are the scheduler's, one for each case, where it has any.

        It tells which runs are to come, in the folder where the report will be.
        """
        numbers = jobs or [""] * len(self.cases)
        entries = [
            Entry(case.run.name, case.method.name, case.tag, self.words(case), job)
            for case, job in zip(self.cases, numbers, strict=True)
        ]
        self.folder.mkdir(parents=True, exist_ok=True)
        description = {"report": self.report, "runs": [asdict(entry) for entry in entries]}
        write_json(self.folder / DESCRIPTION, description)


def entries(folder: Path) -> list[Entry]:
    """Return the runs that a sweep's folder describes; a damaged description is a `UserError`."""
    return [Entry(**entry) for entry in _read(folder)["runs"]]


def report_of(folder: Path) -> Report:
    """Return what the report of a sweep is; a damaged description is a `UserError`."""
    report: Report = _read(folder)["report"]
    return report


def is_sweep(folder: Path) -> bool:
    """Return whether a folder is that of a sweep."""
    return (folder / DESCRIPTION).exists()


def described(root: Path) -> list[Path]:
    """Return the folders of all sweeps directly below a folder of runs, by name."""
    return [file.parent for file in sorted(root.glob(f"*/{DESCRIPTION}"))]


def root_of(folder: Path) -> Path:
    """Return the folder of the runs of a sweep, whose own folder may be given as `.` or `..`."""
    return (folder if folder.name.strip(".") else folder.resolve()).parent


def run_of(folder: Path, entry: Entry) -> Run:
    """Return the run of an entry in a sweep's folder."""
    return Run(root_of(folder) / entry.run)


def _read(folder: Path) -> dict[str, Any]:
    file = folder / DESCRIPTION
    found = read_json(file)
    if isinstance(found, dict) and found.get("report") in get_args(Report):
        listed = found.get("runs")
        if isinstance(listed, list) and all(map(_is_entry, listed)):
            return found
    raise UserError(f"{file} is damaged: it lists no runs; give the command of the sweep again")


def _is_entry(found: object) -> bool:
    if not isinstance(found, dict) or found.keys() != {field.name for field in fields(Entry)}:
        return False
    words, texts = found["words"], [found[name] for name in ("run", "method", "tag", "job")]
    if not isinstance(words, list) or not all(isinstance(text, str) for text in [*texts, *words]):
        return False
    return bool(NAME.fullmatch(found["run"]))
