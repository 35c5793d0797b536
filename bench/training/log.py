"""The training log, as CSV files and for a tracker."""

from __future__ import annotations

import csv
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.core.files import read_json, replacing, write_json, writing
from bench.core.run_folder import RunFolder

if TYPE_CHECKING:
    from bench.training.tracker import Tracker


class TrainingLog:
    """The tables of losses, validation PSNR and scalar parameters by step in a run's folder.

    A checkpoint holds a copy of the tables and the running sums, so that those of a resumed run
    read as if it had never stopped. A log that is not `active` writes no tables: of several
    processes, one writes. `average` takes the means of one process and returns those over all;
    every process calls it. A `tracker` gets the rows too.
    """

    def __init__(
        self,
        folder: RunFolder,
        terms: Sequence[str],
        start: int,
        active: bool = True,
        average: Callable[[Tensor], Tensor] = lambda means: means,
        tracker: Tracker | None = None,
    ) -> None:
        self.folder, self.terms, self.active, self.average = folder, terms, active, average
        self.sums: dict[str, Tensor] = {}
        self.counts: Counter[str] = Counter()
        self.images = 0
        self.since = time.perf_counter()
        self.tracker = tracker
        if active and start == 0:
            for table in self.tables:
                table.unlink(missing_ok=True)

    @property
    def tables(self) -> list[Path]:
        """The files that the log writes."""
        return [self.folder.log, self.folder.validation, self.folder.scalars]

    def save(self, checkpoint: Path, process: int) -> None:
        """Write the tables and the running sums of one process into a checkpoint's folder."""
        sums = {name: [value.item(), self.counts[name]] for name, value in self.sums.items()}
        write_json(_running(checkpoint, process), sums)
        if self.active:
            for table in filter(Path.exists, self.tables):
                shutil.copyfile(table, checkpoint / table.name)

    def load(self, checkpoint: Path, process: int, device: torch.device) -> None:
        """Go on from what `save` wrote; the rate counts the images of this process alone."""
        for name, (value, count) in read_json(_running(checkpoint, process)).items():
            self.sums[name], self.counts[name] = torch.tensor(value, device=device), count
        if self.active:
            for table in self.tables:
                table.unlink(missing_ok=True)
                if (checkpoint / table.name).exists():
                    with replacing(table) as temporary:
                        shutil.copyfile(checkpoint / table.name, temporary)

    def add(self, step: int, terms: Mapping[str, Tensor], images: int) -> None:
        """Add one step's terms to the running means."""
        # The sums stay on the device: reading one back would wait for the device at every step.
        self.step, self.images = step, self.images + images
        self.counts.update(terms.keys())
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, 0) + value.float()

    def write(self) -> dict[str, float]:
        """Write the means since the last row as a new row, and return the row.

        The mean of a term is over the steps that had it. A term that none had, because it belongs
        to another phase of the training, is an empty cell.
        """
        means = torch.stack([value / self.counts[name] for name, value in self.sums.items()])
        named = zip(self.sums, self.average(means).tolist(), strict=True)
        now = time.perf_counter()
        rate = self.images / (now - self.since)
        row = {"step": float(self.step), "images_per_s": rate, **dict(named)}
        self.sums, self.counts, self.images, self.since = {}, Counter(), 0, now
        self._append(self.folder.log, row, ["step", "images_per_s", *self.terms])
        return row

    def write_validation(self, step: int, psnr: float) -> None:
        """Write the mean composite PSNR of a validation, dB."""
        self._append(self.folder.validation, {"step": float(step), "psnr": psnr}, ["step", "psnr"])

    def write_scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write the network's scalar parameters, if it has any; step 0 is before training."""
        if values:
            self._append(self.folder.scalars, {"step": float(step), **values}, ["step", *values])

    def _append(self, path: Path, row: Mapping[str, float], columns: Sequence[str]) -> None:
        if not self.active:
            return
        values = [f"{row[c]:.6g}" if c in row else "" for c in columns[1:]]
        lines = [] if path.exists() else [columns]
        with writing(path), path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([*lines, [int(row["step"]), *values]])
        if self.tracker is not None:
            sent = {name: value for name, value in row.items() if name != "step"}
            self.tracker.log(sent, int(row["step"]))

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.tracker is not None:
            self.tracker.finish()


def _running(checkpoint: Path, process: int) -> Path:
    """Return the file of a process's sums since the last row, of which each process has its own."""
    return checkpoint / f"log-{process}.json"
