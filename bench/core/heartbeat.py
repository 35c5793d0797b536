"""The heartbeat of a run: a small file that tells others that a process works on it."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_type_hints

from bench.core.errors import UserError
from bench.core.files import read_json
from bench.core.interrupts import FAREWELLS

PERIOD = 5.0
"""Seconds between two beats."""
MISSED = 12
"""Beats that may be missing: clocks differ, and network file systems show files late."""
LARGEST = 1e12
"""Bound of all numbers in a heartbeat; it is a time in 30,000 years."""
Phase = Literal["training", "measuring"]
STOPPED = "stopped"
"""Phase of the last beat of work that an exception or a signal ended: nobody works on the run."""


@dataclass(frozen=True)
class Beat:
    """One beat: who works on a run, and how far the work is."""

    phase: str
    host: str
    pid: int
    job: str
    """Number of the Slurm job, or nothing."""
    period: float
    """Seconds until the next beat is due."""
    time: float
    """Seconds since 1970, by the clock of `host`."""
    step: int
    steps: int
    """Number of steps of the whole training; 0 where nothing is trained."""
    batch: int
    images_per_s: float
    """Rate since this process began to train, with its validations and checkpoints."""

    @property
    def seconds_left(self) -> float | None:
        """Seconds of training that are left at this rate, where it is known."""
        if self.images_per_s < 1 / LARGEST:
            return None
        return (self.steps - self.step) * self.batch / self.images_per_s

    @property
    def worker(self) -> str:
        """Host, process and, where there is one, Slurm job that work on the run, in words."""
        return f"{self.host} (process {self.pid}{f', job {self.job}' if self.job else ''})"


class Heartbeat:
    """The beats of this process, while a `with` block works on a run.

    A thread writes them, so that a long step, a validation or a checkpoint is no silence. The last
    beat stays in the folder: it tells where and when an interrupted run stopped, and that it did.
    The trainer sets `step`. A heartbeat that is not `active` writes nothing: of several processes,
    one writes.
    """

    def __init__(
        self,
        path: Path,
        phase: Phase,
        step: int = 0,
        steps: int = 0,
        batch: int = 0,
        active: bool = True,
    ) -> None:
        self.path, self.active = path, active
        self.phase: str = phase
        self.start = self.step = step
        self.steps, self.batch = steps, batch
        self.began = time.monotonic()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        if self.active:
            self._write()
            self.thread.start()
            FAREWELLS.append(self._stop)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.active:
            FAREWELLS.remove(self._stop)
            self.over.set()
            self.thread.join()
            if kind is None:
                self._write()
            else:
                self._stop()

    def _stop(self) -> None:
        self.phase = STOPPED
        self._write()

    def _beat(self) -> None:
        while not self.over.wait(PERIOD):
            self._write()

    def _write(self) -> None:
        """Write a beat whole or not at all; a full disk stops no training."""
        # The thread may be writing while a signal ends the process.
        writer = f"{os.getpid()}-{threading.get_native_id()}"
        temporary = self.path.with_name(f".{self.path.stem}.{writer}.tmp{self.path.suffix}")
        with suppress(OSError):
            # Not synced to the disk: after a power cut nobody works on the run anyway.
            temporary.write_text(json.dumps(asdict(self._now())), encoding="utf-8")
            temporary.replace(self.path)

    def _now(self) -> Beat:
        images, seconds = (self.step - self.start) * self.batch, time.monotonic() - self.began
        return Beat(
            phase=self.phase,
            host=platform.node(),
            pid=os.getpid(),
            job=job(),
            period=PERIOD,
            time=time.time(),
            step=self.step,
            steps=self.steps,
            batch=self.batch,
            images_per_s=images / seconds if images else 0.0,
        )


def job() -> str:
    """Return the number of the Slurm job that this process belongs to, or nothing.

    That of a task of an array is `ARRAY_TASK`, as Slurm shows it.
    """
    array, task = (os.environ.get(f"SLURM_ARRAY_{name}_ID", "") for name in ("JOB", "TASK"))
    return f"{array}_{task}" if array else os.environ.get("SLURM_JOB_ID", "")


def read(path: Path) -> Beat | None:
    """Return the last beat, or None where there is none; a damaged file is a `UserError`."""
    if not path.exists():
        return None
    found = read_json(path)
    if not _is_beat(found):
        raise UserError(f"{path} is damaged: it is no heartbeat; the next process writes another")
    return Beat(**found)


def _is_beat(found: Any) -> bool:
    kinds = get_type_hints(Beat)
    if not isinstance(found, dict) or found.keys() != kinds.keys():
        return False
    numbers = [value for value in found.values() if not isinstance(value, str)]
    return all(isinstance(found[name], kind) for name, kind in kinds.items()) and all(
        0 <= number < LARGEST for number in numbers
    )
