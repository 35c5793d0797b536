"""The training log, as CSV files and, where it is installed, for TensorBoard."""

from __future__ import annotations

import csv
import importlib.util
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from bench.core.files import write_text
from bench.core.run_folder import RunFolder


class TrainingLog:
    """The tables of losses, validation PSNR and scalar parameters by step in a run's folder.

    A resumed run drops the rows after its checkpoint, so the files read as if it had never stopped.
    A log that is not `active` writes nothing: of several processes, one writes. `average` takes the
    means of one process and returns those over all; every process calls it.
    """

    def __init__(
        self,
        folder: RunFolder,
        terms: Sequence[str],
        start: int,
        active: bool = True,
        average: Callable[[Tensor], Tensor] = lambda means: means,
    ) -> None:
        self.folder, self.terms, self.active, self.average = folder, terms, active, average
        self.sums: dict[str, Tensor] = {}
        self.counts: Counter[str] = Counter()
        self.images = 0
        self.since = time.perf_counter()
        self.board: Any = None
        if not active:
            return
        for path in (folder.log, folder.validation, folder.scalars):
            _truncate(path, start)
        if importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder.tensorboard), purge_step=start)  # type: ignore[no-untyped-call]

    def add(self, step: int, terms: Mapping[str, Tensor], images: int) -> None:
        """Add one step's terms to the running means."""
        # The sums stay on the device: reading one back would wait for the device at every step.
        self.step, self.images = step, self.images + images
        self.counts.update(terms.keys())
        for name, value in terms.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value

    def write(self) -> dict[str, float]:
        """Write the means since the last row as a new row, and return the row.

        The mean of a term is over the steps that had it. A term that none had, because it belongs
        to another phase of the training, is an empty cell.
        """
        means = torch.stack([value.float() / self.counts[n] for n, value in self.sums.items()])
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
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow(columns)
            values = [f"{row[c]:.6g}" if c in row else "" for c in columns[1:]]
            writer.writerow([int(row["step"]), *values])
        if self.board is not None:
            for key, value in row.items():
                if key != "step":
                    self.board.add_scalar(key, value, int(row["step"]))

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.board is not None:
            self.board.close()


def _truncate(path: Path, start: int) -> None:
    """Keep the header and the rows up to step `start`; drop a half-written last row too."""
    if start == 0:
        path.unlink(missing_ok=True)
    if not path.exists():
        return
    header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [r for r in rows if r.endswith("\n") and int(r.partition(",")[0]) <= start]
    write_text(path, "".join([header, *kept]))
