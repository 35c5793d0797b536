"""A run and its states. Imports no torch, so that reports may use it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from bench.core.errors import UserError
from bench.core.files import read_json, write_json
from bench.core.run_folder import RunFolder

State = Literal["absent", "running", "failed", "finished"]


class Run(RunFolder):
    """The folder of one method under one config and seed, and how far the work on it is.

    States: `absent` (nothing there, or something that is no run), `running` (in work, killed or
    interrupted: resumed from its last checkpoint), `failed` (the same, with the reason), `finished`
    (skipped). One process at a time holds a run's lock; a killed process leaves none behind.

    `Experiment.execute` takes a run through its states:

        with run.locked():                      # nobody else works on it
            run.differences(identity)           # is it the run that was asked for?
            run.begin(identity, config, environment)
            with run.working():                 # finished at the end, or failed with the reason
                ...
    """

    @property
    def progress(self) -> State:
        """How far the run is."""
        if not self.state.exists():
            return "absent"
        state: State = read_json(self.state)["state"]
        return state

    @property
    def pictured(self) -> bool:
        """Whether every test pair has its picture."""
        pairs = read_json(self.manifest)["pairs"]
        return len(self.pictures.pairs_with("output")) >= len(pairs)

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

    def clear(self) -> None:
        """Remove everything but the lock: the state first, or half a run could look finished."""
        self.state.unlink(missing_ok=True)
        for path in self.path.glob("*"):
            if path.is_dir():
                shutil.rmtree(path)
            elif path != self.lock:
                path.unlink()

    def clear_measurement(self) -> None:
        """Remove records and pictures: those of other test pairs would stay among the new ones."""
        self.records.unlink(missing_ok=True)
        shutil.rmtree(self.pictures.path, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run; a second process is told so at once."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with FileLock(self.lock).acquire(timeout=0):
                yield
        except Timeout as error:
            raise UserError(
                f"{self.path} is being worked on by another process; wait for it or stop it"
            ) from error
        except PermissionError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror}; choose --out") from error

    @contextmanager
    def working(self) -> Iterator[None]:
        """Mark the run finished at the end, or failed with the reason."""
        try:
            yield
        except Exception as error:
            self._set_state("failed", f"{type(error).__name__}: {error}")
            raise
        self._set_state("finished")

    def _set_state(self, state: State, reason: str = "") -> None:
        write_json(self.state, {"state": state, "reason": reason})


def find(root: Path) -> list[Run]:
    """Return all runs directly below a folder, by name."""
    return [Run(path.parent) for path in sorted(root.glob("*/state.json"))]
