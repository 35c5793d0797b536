"""A sweep: the runs that one command or file describes. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from bench.core.errors import UserError
from bench.core.files import read_json, write_json
from bench.core.run_folder import NAME
from bench.runs.case import Case
from bench.runs.run import Run

DESCRIPTION = "sweep.json"
"""Name of the file that describes a sweep, in the folder of its report."""


@dataclass(frozen=True)
class Entry:
    """One run of a sweep, as the description has it for others: `status` and `report`."""

    run: str
    """Name of the run's folder, which lies next to the sweep's."""
    method: str
    tag: str
    """What tells the run from others of the same method, preset and seed; may be empty."""
    words: list[str]
    """The words after `python -m bench` that make the run."""
    job: str = ""
    """Number of the scheduler's job that was asked to make it, or nothing."""


@dataclass(frozen=True)
class Sweep:
    """Cases that belong together; their report lies in `folder`, next to the runs."""

    folder: Path
    cases: tuple[Case, ...]
    cost: bool = False
    """Whether each run also measures what it costs to fill an image."""

    def words(self, case: Case) -> list[str]:
        """Return the words after `python -m bench` that make the run of a case, and no other."""
        return [*case.words(), *(["--cost"] if self.cost else [])]

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
        write_json(self.folder / DESCRIPTION, {"runs": [asdict(entry) for entry in entries]})


def entries(folder: Path) -> list[Entry]:
    """Return the runs that a sweep's folder describes; a damaged description is a `UserError`."""
    file = folder / DESCRIPTION
    found = read_json(file)
    listed = found.get("runs") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(map(_is_entry, listed)):
        raise UserError(f"{file} is damaged: it lists no runs; give the command of the sweep again")
    return [Entry(**entry) for entry in listed]


def described(root: Path) -> list[Path]:
    """Return the folders of all sweeps directly below a folder of runs, by name."""
    return [file.parent for file in sorted(root.glob(f"*/{DESCRIPTION}"))]


def run_of(folder: Path, entry: Entry) -> Run:
    """Return the run of an entry in a sweep's folder."""
    return Run(folder.parent / entry.run)


def _is_entry(found: object) -> bool:
    if not isinstance(found, dict) or found.keys() != {field.name for field in fields(Entry)}:
        return False
    words, texts = found["words"], [found[name] for name in ("run", "method", "tag", "job")]
    if not isinstance(words, list) or not all(isinstance(text, str) for text in [*texts, *words]):
        return False
    return bool(NAME.fullmatch(found["run"]))
