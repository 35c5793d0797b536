"""Checkpoints: written whole, checked before they are used."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accelerate import Accelerator
from safetensors import SafetensorError

from bench.core import sums
from bench.core.errors import UserError
from bench.core.files import read_json, remove, sync, write_json
from bench.core.run_folder import RunFolder
from bench.training.log import TrainingLog
from bench.training.processes import from_first

log = logging.getLogger(__name__)
KEPT = 2
"""Number of newest checkpoints that stay on the disk; older ones are removed."""
POSITION = "position.json"
"""Name of the file that holds the number of steps done."""
MIB = 2**20


class Checkpoints:
    """The checkpoints of a run's training, each a folder named by its step.

    A checkpoint holds networks, optimizers, random states, the log and the position, with the
    SHA-256 sums of these files. All processes of a training call each method together.
    """

    def __init__(self, folder: RunFolder, accelerator: Accelerator) -> None:
        self.folder, self.accelerator = folder.checkpoints, accelerator
        self.written = time.monotonic()
        """When the last one was written, or this process began, on the clock of `time`."""

    def write(self, step: int, rows: TrainingLog) -> None:
        """Write a checkpoint under another name and rename it, so that it is whole or absent."""
        final = self.folder / f"{step:08d}"
        temporary = final.with_name(f".{final.name}.tmp")
        if self.accelerator.is_main_process:
            remove(temporary)
        self.accelerator.wait_for_everyone()
        with self._telling_space(temporary):
            self.accelerator.save_state(str(temporary))
            rows.save(temporary, self.accelerator.process_index)
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            with self._telling_space(temporary):
                _seal(temporary, step)
                remove(final)
                temporary.replace(final)
                sync(self.folder)
            for old in self.complete()[:-KEPT]:
                remove(old)
        self.written = time.monotonic()

    def complete(self) -> list[Path]:
        """Return the folders of all complete checkpoints, oldest first."""
        found = (p for p in self.folder.glob("*") if p.name.isdigit() and p.is_dir())
        return sorted(found, key=lambda path: int(path.name))

    def newest(self) -> Path | None:
        """Return the newest checkpoint whose files are as they were written, if there is one.

        Each newer one that is damaged causes a warning. All processes get what the first finds.
        """
        return from_first(
            self.accelerator, self._newest() if self.accelerator.is_main_process else None
        )

    def load(self, checkpoint: Path) -> int:
        """Load a checkpoint into what the accelerator has prepared; return its number of steps."""
        self.accelerator.load_state(str(checkpoint))
        step: int = read_json(checkpoint / POSITION)["step"]
        return step

    def _newest(self) -> Path | None:
        for path in reversed(self.complete()):
            problem = _problem(path)
            if not problem:
                return path
            log.warning("%s; an older checkpoint is used, or the training begins again", problem)
        return None

    @contextmanager
    def _telling_space(self, folder: Path) -> Iterator[None]:
        """Make a `UserError` of an error in writing a folder, which says how much space it needs.

        What is written of the folder goes: on a full disk, others need the space.
        """
        try:
            yield
        # torch, safetensors and Python each have an error of their own for a full disk.
        except (UserError, OSError, RuntimeError, SafetensorError) as error:
            written = max(
                folder.glob("*"), key=lambda file: file.stat().st_mtime_ns, default=folder
            )
            remove(folder)
            needed, free = self._size(), shutil.disk_usage(self.folder.parent).free
            if free > 2 * needed:
                raise
            raise UserError(
                f"cannot write {written}: the disk is full; a checkpoint needs about "
                f"{needed / MIB:.1f} MiB, and {free / MIB:.1f} MiB are free; make space and run "
                "the same command again"
            ) from error

    def _size(self) -> int:
        """Return about how many bytes a checkpoint has: weights, and two moments of Adam each."""
        states = [model.state_dict() for model in self.accelerator._models]
        weights: int = sum(t.numel() * t.element_size() for s in states for t in s.values())
        return 3 * weights


def _seal(folder: Path, step: int) -> None:
    """Write the position and the sums of a checkpoint, and wait until all is on the disk."""
    write_json(folder / POSITION, {"step": step})
    files = sorted(folder.iterdir())
    for file in files:
        sync(file)
    sums.write(folder, files)


def _problem(checkpoint: Path) -> str:
    """Return what is wrong with the files of a checkpoint, or nothing."""
    try:
        files = [path for path in checkpoint.iterdir() if path.name != sums.FILE]
        problems = sums.damaged(checkpoint, [checkpoint / POSITION, *files])
    except sums.DamagedError as error:
        return str(error)
    return "; ".join(f"{checkpoint / name} {problem}" for name, problem in problems.items())
