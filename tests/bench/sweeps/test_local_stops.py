"""Signals to the launcher `local` and to its runs, and what they leave."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from bench.core.interrupts import REQUESTS, Stopped
from bench.sweeps import local
from bench.sweeps.local import launch
from tests.bench.sweeps.conftest import NAMES, Stub, later, log_of, sweep_of, waiting_for

STOPS = """
import os, pathlib, signal, sys, time
got = []
for number in {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1}:
    signal.signal(number, lambda number, _: got.append(number))
pathlib.Path(READY).touch()
while not got: time.sleep(0.005)
pathlib.Path(CHECKPOINT).mkdir(parents=True)
print("signals", *map(int, got), "session", os.getsid(0) == os.getpid())
sys.exit(75)
"""
"""Program that ends at a signal like a training, after a checkpoint."""
pytestmark = pytest.mark.usefixtures("short_pauses")


def has_ended(process: int) -> bool:
    try:
        return bool(psutil.Process(process).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def send(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", REQUESTS)
def test_a_signal_stops_the_workers_and_begins_no_more(
    tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    sweep = sweep_of(tmp_path)
    ready = [tmp_path / "ready0", tmp_path / "ready1"]
    stub(**{
        name: STOPS.replace("READY", repr(str(ready[n]))).replace(
            "CHECKPOINT", repr(str(sweep.cases[n].run.checkpoints / f"{n + 12:08}"))
        )
        for n, name in enumerate(NAMES[:2])
    })  # fmt: skip
    thread = later(lambda: waiting_for(ready), send(number))
    with pytest.raises(Stopped, match="the same command goes on") as stop:
        launch(sweep, 2)
    thread.join()
    assert stop.value.code == (130 if number == signal.SIGINT else 75)
    assert capsys.readouterr().err.splitlines()[3:] in (
        ["[1/4] full-quick-seed0: stopped; step 12 is kept",
         "[2/4] forward-quick-seed0: stopped; step 13 is kept"],
        ["[2/4] forward-quick-seed0: stopped; step 13 is kept",
         "[1/4] full-quick-seed0: stopped; step 12 is kept"],
    )  # fmt: skip
    for n in (0, 1):  # one signal each, and none from the terminal
        assert log_of(sweep, n).read_text().endswith("\nsignals 15 session True\n")
    assert not log_of(sweep, 2).exists()


def test_a_signal_ends_the_waiting_for_others(
    tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub()
    sweep = sweep_of(tmp_path, "full")
    sweep.folder.mkdir(parents=True)
    lock, said = FileLock(sweep.cases[0].run.lock), []

    def say(job: local.Job, text: str) -> None:
        said.append(text)
        if text.startswith("waits"):
            send(signal.SIGTERM)()
        else:
            lock.release()  # the run is free now, and is not begun for all that

    monkeypatch.setattr(local.Job, "_say", say)
    with lock, pytest.raises(Stopped):
        launch(sweep, 1)
    assert said == ["waits for another process, which works on it", "not begun"]
    assert not log_of(sweep).exists()


def test_a_second_interrupt_kills_what_was_started(tmp_path: Path, stub: Stub) -> None:
    """Processes of `torchrun` have sessions of their own."""
    ready, asked = tmp_path / "ready", tmp_path / "asked"
    deaf = (
        "import os, pathlib, signal, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: pathlib.Path({str(asked)!r}).touch())\n"
        "child = os.fork()\n"
        "if not child: os.setsid()\n"
        f"if child: pathlib.Path({str(ready)!r}).write_text(f'{{os.getpid()}} {{child}}')\n"
        "while True: time.sleep(1)\n"
    )
    stub(full=deaf)
    interrupt = send(signal.SIGINT)
    later(lambda: waiting_for([ready]), interrupt, lambda: waiting_for([asked]), interrupt)
    with pytest.raises(KeyboardInterrupt) as stop:
        launch(sweep_of(tmp_path, "full"), 1)
    assert not isinstance(stop.value, Stopped)
    # A killed process takes a moment to end, and its child may wait for init to take notice.
    deadline = time.monotonic() + 60
    while not all(map(has_ended, map(int, ready.read_text().split()))):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_is_kept_is_told(tmp_path: Path) -> None:
    run = sweep_of(tmp_path, "full").cases[0].run
    assert local.kept(run) == "nothing of it is kept yet"
    run.begin({}, {}, {})
    (run.checkpoints / "00000005").mkdir(parents=True)
    (run.checkpoints / "00000010").mkdir()
    (run.checkpoints / ".00000015.tmp").mkdir()
    assert local.kept(run) == "step 10 is kept"
    run.weights.touch()
    run.seal()
    assert local.kept(run) == "its training is kept"
    with run.working():
        pass
    assert local.kept(run) == "it is finished"
