"""Trackers of experiments, through accelerate: TensorBoard, Weights & Biases, MLflow, Trackio."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from accelerate import tracking

from bench.config import Config, identity
from bench.core.errors import UserError
from bench.core.run_folder import RunFolder

log = logging.getLogger(__name__)
PROJECT = "lbam-bench"
"""Name under which a tracker collects all runs."""


class Tracker:
    """The tracker of one run's training. One that fails is given up with a warning.

    A training of hours must not end because a server cannot be reached: the run's own tables have
    all numbers. `name` is a choice of `--tracker`, and `step` the one that the training starts at.
    """

    def __init__(self, name: str, folder: RunFolder, config: Config, step: int) -> None:
        self.name = name
        self.inner: Any = None
        if name != "none":
            with self._giving_up():
                self.inner = MAKERS[name](folder, step)
                self.inner.start()
                if name != "tensorboard":  # its files lie next to the run's own config.json
                    settings = {option: str(value) for option, value in identity(config).items()}
                    self.inner.store_init_configuration(settings)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Send some numbers of a step."""
        if self.inner is not None:
            with self._giving_up():
                self.inner.log(dict(values), step=step)

    def finish(self) -> None:
        """Send what is left, and close the tracker."""
        if self.inner is not None:
            with self._giving_up():
                self.inner.finish()

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a library's own, of which each has others
            reason = " ".join(str(error).split())
            log.warning("--tracker %s is given up: %s: %s", self.name, type(error).__name__, reason)
            self.inner = None


def check(name: str) -> None:
    """Raise a `UserError` for a tracker whose package is not installed."""
    if name != "none" and name not in map(str, tracking.get_available_trackers()):
        raise UserError(
            f"--tracker {name}: its package is not installed; `python -m pip install {name}`"
        )


def _tensorboard(folder: RunFolder, step: int) -> tracking.GeneralTracker:
    # What was written after the checkpoint that the run resumes from is dropped.
    return tracking.TensorBoardTracker(
        folder.tensorboard.name, logging_dir=folder.path, purge_step=step
    )


def _wandb(folder: RunFolder, step: int) -> tracking.GeneralTracker:
    place = hashlib.sha256(str(folder.path.resolve()).encode()).hexdigest()[:16]
    return tracking.WandBTracker(
        PROJECT, name=folder.name, id=place, resume="allow", dir=str(folder.path)
    )


def _mlflow(folder: RunFolder, step: int) -> tracking.GeneralTracker:
    return tracking.MLflowTracker(PROJECT, run_name=folder.name)


def _trackio(folder: RunFolder, step: int) -> tracking.GeneralTracker:
    return tracking.TrackioTracker(PROJECT, name=folder.name, resume="allow")


MAKERS: Mapping[str, Callable[[RunFolder, int], Any]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "mlflow": _mlflow,
    "trackio": _trackio,
}
"""Functions from a run and the step it starts at to a tracker of accelerate's."""
