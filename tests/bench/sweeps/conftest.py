"""Stubs in place of runs: programs of a few milliseconds, for the tests of the launcher `local`."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.presets import preset
from bench.registry import find
from bench.runs.case import Case
from bench.sweeps import local
from bench.sweeps.sweep import Sweep

NAMES = ("full", "forward", "sigmoid", "lrelu")
Stub = Callable[..., None]
WAIT = "import pathlib, time\nwhile not pathlib.Path({!r}).exists(): time.sleep(0.005)\n"
"""Program that waits for a file."""


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "PAUSE", 0.005)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    """Put programs in the place of runs, by the names of the methods; the others do nothing."""

    def put(**programs: str) -> None:
        def command(words: list[str], processes: int) -> list[str]:
            return [sys.executable, "-I", "-S", "-c", programs.get(words[2], ""), *words]

        monkeypatch.setattr(local, "command", command)

    return put


def sweep_of(tmp_path: Path, *names: str) -> Sweep:
    config = preset("quick")
    cases = tuple(Case(find(name), config, tmp_path / "runs") for name in names or NAMES)
    return Sweep(tmp_path / "runs" / "ablation", cases)


def log_of(sweep: Sweep, number: int = 0) -> Path:
    return sweep.folder / "logs" / f"{sweep.cases[number].run.name}.log"


def waiting_for(files: list[Path]) -> None:
    while not all(map(Path.exists, files)):
        time.sleep(0.005)


def later(*work: Callable[[], None]) -> threading.Thread:
    """Do things in a thread, one after the other."""
    thread = threading.Thread(target=lambda: [act() for act in work], daemon=True)
    thread.start()
    return thread
