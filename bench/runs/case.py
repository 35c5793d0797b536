"""A case: one method under one config, the folder of its run and the command that makes it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bench.config import Config, flag_of, sections
from bench.core import plugins
from bench.core.errors import UserError
from bench.core.run_folder import NAME
from bench.foreign.method import given_as
from bench.presets import PRESETS
from bench.registry import Method, TrainedNetwork
from bench.runs.run import Run
from bench.runs.weights import GivenWeights

LONGEST = 100
"""Longest name of a run, characters: file systems allow 255, and locks and `--redo` add some."""


@dataclass(frozen=True)
class Case:
    """One method under one config; its run lies in the folder `root`.

    `tag` is what tells it from runs of the same method, preset and seed; it may be empty.
    """

    method: Method
    config: Config
    root: Path
    tag: str = ""

    def __post_init__(self) -> None:
        if self.tag and not NAME.fullmatch(self.tag):
            raise UserError(
                f"name '{self.tag}': use letters, digits, '.', '_' and '-', since it names folders "
                "of runs"
            )

    @property
    def run(self) -> Run:
        """The run, whose folder is named by method, preset, tag and seed."""
        # An algorithm gives the same under any seed, and that of weights from elsewhere is unknown.
        trained = isinstance(self.method, TrainedNetwork)
        trained |= isinstance(self.method, GivenWeights) and bool(self.method.run)
        seed = f"-seed{self.config.training.seed}" if trained else ""
        parts = [self.method.name, self.config.preset, *([self.tag] if self.tag else [])]
        return Run(self.root / (_shortened("-".join(parts), LONGEST - len(seed)) + seed))

    def words(self) -> list[str]:
        """Return the words after `python -m bench` that make this run, and no other."""
        preset = ["--preset", self.config.preset]
        tag = ["--name", self.tag] if self.tag else []
        method = [f"--{self.method.family}", given_as(self.method)]
        # All files: the case may name a metric or a reference of another one.
        files = [f"--plugin={file}" for file in plugins.loaded()]
        return ["run", *method, *files, *preset, *tag, *self._options(), "--out", str(self.root)]

    def _options(self) -> Iterator[str]:
        """Yield the options in which the config differs from its preset."""
        usual = PRESETS[self.config.preset]
        for section, kind in sections():
            for item in fields(kind):
                value = getattr(getattr(self.config, section), item.name)
                if value != getattr(getattr(usual, section), item.name):
                    yield from _option(flag_of(item.name), value)


def _option(flag: str, value: Any) -> list[str]:
    """Return an option as words of a command line."""
    if isinstance(value, tuple):
        return [flag, *map(str, value)]
    return [f"{flag}={str(value).lower() if isinstance(value, bool) else value}"]


def _shortened(name: str, most: int) -> str:
    """Return a name of at most so many characters; a longer one ends with its own digest."""
    if len(name) <= most:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: most - len(digest) - 1]}-{digest}"
