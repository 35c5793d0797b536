"""A run and its states. Imports no torch, so that reports may use it."""

from __future__ import annotations

import json
import logging
import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, get_args

from filelock import FileLock, Timeout

from bench.core import locks, sums
from bench.core.errors import UserError
from bench.core.files import remove, sweep, sync, write_json
from bench.core.heartbeat import MISSED, STOPPED, Beat, read
from bench.core.run_folder import AGAIN, RunFolder, saved_pictures

log = logging.getLogger(__name__)
Progress = Literal["absent", "running", "failed", "finished"]
DESCRIPTION = frozenset({"identity.json", "config.json", "environment.json"})
"""Files that say what a run is; nothing else in its folder tells if they are damaged."""
MEASURED = frozenset({"manifest.json", "records.csv", "distances.csv", "cost.json", "pictures"})
"""Files and folders that are made again by measuring again."""
OF_GIVEN_WEIGHTS = frozenset({"weights", "network code"})
"""Parts of an evaluation's identity that belong to its method, as the code of a training does."""
REDO = ".redo"
"""End of the hidden name of a run that `--redo` makes."""
IN_WORK = "is being worked on by"
"""Words by which a process refuses a run that another one works on."""


class Run(RunFolder):
    """The folder of one method under one config and seed, and how far the work on it is.

    States: `absent` (nothing there), `running` (in work, killed or interrupted: resumed from its
    last checkpoint), `failed` (the same, with the reason), `finished` (skipped). One process at a
    time holds a run's lock; a killed process leaves none behind. A finished run has SHA-256 sums of
    all its results, and `damaged` tells which files are not as they were.

    `Experiment.execute` takes a run through its states:

        with run.locked():                      # nobody else works on it
            run.differences(identity)           # is it the run that was asked for?
            run.begin(identity, config, environment)
            with run.working():                 # finished at the end, or failed with the reason
                ...
    """

    @property
    def progress(self) -> Progress:
        """How far the run is."""
        return self._read_state()[0]

    def require(self) -> None:
        """Raise a `UserError` if the folder holds no run."""
        if self.progress == "absent":
            raise UserError(f"{self.path} is not a run; give a folder that `bench run` made")

    @property
    def failure(self) -> str:
        """The reason why the run failed, in one line; empty unless it did."""
        return self._read_state()[1]

    @property
    def held(self) -> bool:
        """Whether a process of this machine works on the run; nothing is written to find out."""
        return locks.is_held(self.lock)

    @property
    def settings(self) -> dict[str, Any]:
        """The identity without what a run is one of, given weights and their network included.

        Those that a training made are known by its settings and its seed.
        """
        settings = super().settings
        return {name: settings[name] for name in settings if name not in OF_GIVEN_WEIGHTS}

    @property
    def empty(self) -> bool:
        """Whether nothing would be lost if the folder were not there."""
        return not any(p.exists() for p in (self.checkpoints, self.weights, self.records))

    @property
    def pictured(self) -> set[int]:
        """The numbers of the pairs whose output has a sum, whether or not it is still there."""
        names = (name.rpartition("/")[2] for name in sums.read(self.path) if of_pictures(name))
        return {pair for pair, what in saved_pictures(names) if what == "output"}

    def lacks_pictures(self, pairs: Iterable[int] = ()) -> bool:
        """Return whether pictures of these pairs or of others are missing, or were changed."""
        if self.damaged(of_pictures):
            return True
        wanted = self.pictured.union(pairs)
        return bool(wanted) and not self._has_unharmed(wanted)

    def _has_unharmed(self, pairs: set[int]) -> bool:
        pictures = self.pictures
        return pictures.complete >= pairs and not pictures.damaged_inputs(pairs)

    @property
    def successor(self) -> Run:
        """The run that `--redo` makes in a folder of its own, until it can replace this one."""
        return Run(self.path.with_name(f".{self.name}{REDO}"))

    def begin(
        self, identity: Mapping[str, Any], config: Mapping[str, Any], environment: Mapping[str, Any]
    ) -> None:
        """Write down what is asked for and where, and that the work begins."""
        write_json(self.identity, identity)
        write_json(self.config, config)
        write_json(self.environment, environment)
        self._set_state("running")

    def differences(self, identity: Mapping[str, Any]) -> dict[str, str]:
        """Return the parts of an identity that differ from the run's, as `name: old -> new`."""
        old, new = self.read_identity(), json.loads(json.dumps(identity))  # tuples become lists
        return {
            name: f"{name}: {old.get(name)} -> {new.get(name)}"
            for name in sorted({*old, *new})
            if old.get(name) != new.get(name)
        }

    def damaged(self, wanted: sums.Wanted = bool) -> dict[str, str]:
        """Return what is wrong with the results of a finished run, by relative name.

        `wanted` tells by a name whether to look at a file. Damage of the sums, or of the files that
        say what the run is, is a `DamagedError`: nothing else tells.
        """
        try:
            problems = sums.damaged(
                self.path, self.results, lambda name: name in DESCRIPTION or wanted(name)
            )
        except sums.DamagedError as error:
            raise sums.DamagedError(f"{error}; {AGAIN}") from error
        for name in sorted(DESCRIPTION & problems.keys()):
            raise sums.DamagedError(f"{self.path / name} {problems[name]}; {AGAIN}")
        return problems

    def check(self, wanted: sums.Wanted) -> None:
        """Raise a `DamagedError` if a wanted file of a finished run is not as it was."""
        if self.progress == "finished":
            for name, problem in self.damaged(wanted).items():
                raise sums.DamagedError(
                    f"{self.path / name} {problem}; the command that made the run makes it again"
                )

    @property
    def training_done(self) -> bool:
        """Whether the training of an unfinished run came to its end, and its files are sound."""
        try:
            return self.weights.exists() and not sums.damaged(
                self.path, [self.weights], of_training
            )
        except sums.DamagedError:  # no sums, or no longer any
            return False

    def seal(self, *files: Path) -> None:
        """Write the sums of all results, or of some files that were made later."""
        if files:
            sums.add(self.path, files)
        else:
            sums.write(self.path, self.results)

    def seal_pictures(self) -> None:
        """Write the sums of all pictures, which were made again."""
        drawn = [file for file in self.results if file.parent == self.pictures.own]
        sums.add(self.path, drawn, gone=of_pictures)

    def clear_measurement(self) -> None:
        """Remove all that was measured: pictures of other test pairs would stay among the new."""
        for name in MEASURED:
            remove(self.path / name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run; a second process is told so at once. What killed processes left goes.

        A process of another host is alive if its heartbeat changes: on some network file systems it
        is not kept out by the lock. Then it keeps the run, which is a `UserError` as well.
        """
        lock = FileLock(self.lock)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=locks.PATIENCE)
        except Timeout as error:
            raise UserError(
                f"{self.path} {IN_WORK} {self._holder}; wait for it or stop it"
            ) from error
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror}; choose --out") from error
        try:
            self._watch_others()
            self._tidy()
            yield
        finally:
            lock.release()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Mark the run finished at the end, with the sums of its results, or failed."""
        try:
            yield
            self.seal()
        except Exception as error:
            reason = str(error) if isinstance(error, UserError) else f"{error!r}"
            with suppress(UserError):  # a full disk, say: what happened first is to be told
                self._set_state("failed", reason)
            raise
        self._set_state("finished")
        self.heartbeat.unlink(missing_ok=True)

    def replace_by(self, other: Run) -> None:
        """Put another run's folder in the place of this one, which is removed at the end.

        Two names cannot be exchanged in one step. `_tidy` completes what a kill leaves between.
        """
        if self.path.exists():
            self.path.rename(self._predecessor)
        other.path.rename(self.path)
        sync(self.path.parent)
        remove(self._predecessor)

    @property
    def _predecessor(self) -> Path:
        return self.path.with_name(f".{self.name}.old")

    @property
    def _holder(self) -> str:
        """Who holds the lock, as the heartbeats tell."""
        beats = (last_beat(run) for run in (self, self.successor))
        return next((beat.worker for beat in beats if beat), "another process")

    def _watch_others(self) -> None:
        """Wait until no process of another host can be at work; one that is is a `UserError`.

        No clock of a host is compared with another's.
        """
        for run in (self, self.successor):
            beat = run._claim()
            if beat is None:
                continue
            silence = MISSED * beat.period
            log.info("%s: waiting up to %.0f s to see if %s still works on it",
                     run.path, silence, beat.worker)  # fmt: skip
            end = time.monotonic() + silence
            while run._claim() == beat and time.monotonic() < end:
                time.sleep(beat.period / 5)
            if run._claim() not in (beat, None):
                raise UserError(
                    f"{self.path} {IN_WORK} {beat.worker}; if that is wrong, remove {run.heartbeat}"
                )

    def _claim(self) -> Beat | None:
        """Return the last beat of a process of another host, unless the work has ended."""
        beat = last_beat(self)
        if beat is None or beat.phase == STOPPED or beat.host == platform.node():
            return None
        with suppress(UserError):  # a damaged state is told where it is needed
            return beat if self.progress == "running" else None
        return beat

    def _tidy(self) -> None:
        """Complete an exchange that was killed; remove half-written files and old heartbeats."""
        if self._predecessor.exists():
            if not self.path.exists():
                self.successor.path.rename(self.path)
            remove(self._predecessor)
        for run in (self, self.successor):
            sweep(run.path)
            run.heartbeat.unlink(missing_ok=True)

    def _read_state(self) -> tuple[Progress, str]:
        if not self.state.exists():
            return "absent", ""
        found = self.read_own(self.state)
        if not isinstance(found, dict) or found.get("state") not in get_args(Progress):
            raise UserError(f"{self.state} is damaged: it names no state; {AGAIN}")
        return found["state"], " ".join(str(found.get("reason", "")).split())

    def _set_state(self, state: Progress, reason: str = "") -> None:
        write_json(self.state, {"state": state, "reason": reason})


def last_beat(run: Run) -> Beat | None:
    """Return the last beat of a run; a damaged one tells nothing, and the next replaces it."""
    with suppress(UserError):
        return read(run.heartbeat)
    return None


def of_measurement(name: str) -> bool:
    """Return whether a file of a run, by relative name, is made again by measuring again."""
    return name.partition("/")[0] in MEASURED


def of_pictures(name: str) -> bool:
    """Return whether a file of a run, by relative name, is a picture of a test pair."""
    return name.startswith("pictures/")


def of_numbers(name: str) -> bool:
    """Return whether a file of a run, by relative name, holds numbers that reports print."""
    return not name.startswith(("pictures/", "samples/", "weights."))


def of_training(name: str) -> bool:
    """Return whether a file of a run, by relative name, is made by training."""
    return name not in DESCRIPTION and not of_measurement(name)


def find(root: Path) -> list[Run]:
    """Return all runs directly below a folder, by name; hidden folders hold unfinished ones."""
    found = (path.parent for path in sorted(root.glob("*/state.json")))
    return [Run(path) for path in found if not path.name.startswith(".")]


def sound(runs: Iterable[Run]) -> tuple[list[Run], list[str]]:
    """Return the finished runs whose numbers are as they were, and what is wrong with the others.

    Runs that are not finished are in neither list. Pictures can be made again and weights are not
    reported, so they are not looked at.
    """
    good, problems = [], []
    for run in runs:
        try:
            run.check(of_numbers)
            if run.progress == "finished":
                good.append(run)
        except UserError as error:
            problems.append(str(error))
    return good, problems
