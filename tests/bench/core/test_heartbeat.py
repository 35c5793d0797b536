import json
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.core import heartbeat
from bench.core.errors import UserError
from bench.core.heartbeat import Beat, Heartbeat, read

BEAT = Beat("training", "node7", 12, "345", 5.0, 1000.0, 60, 100, 4, 8.0)


def test_a_thread_writes_beats_while_the_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "PERIOD", 0.01)
    monkeypatch.setenv("SLURM_JOB_ID", "345")
    path = tmp_path / "heartbeat.json"
    with Heartbeat(path, "training", steps=9) as pulse:
        beat = read(path)
        assert beat is not None and (beat.step, beat.steps) == (0, 9)
        assert (beat.host, beat.pid, beat.job) == (platform.node(), os.getpid(), "345")
        assert beat.period == 0.01
        pulse.step, deadline = 7, time.monotonic() + 60
        while beat.step != 7 and time.monotonic() < deadline:  # a long step: only the thread acts
            beat = read(path)
            assert beat is not None  # whole at any moment
        assert beat.step == 7
    assert not pulse.thread.is_alive()
    assert [file.name for file in tmp_path.iterdir()] == ["heartbeat.json"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_last_beat_tells_where_the_work_stopped(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "heartbeat.json"
    with pytest.raises(error), Heartbeat(path, "training", steps=9) as pulse:
        pulse.step = 8
        raise error
    beat = read(path)
    assert beat is not None and (beat.phase, beat.step) == ("stopped", 8)


def test_work_that_came_to_its_end_has_not_stopped(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat.json"
    with Heartbeat(path, "training", steps=9):
        pass
    beat = read(path)
    assert beat is not None and beat.phase == "training"  # the measurement follows


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_that_ends_the_process_stops_the_work(
    tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / "heartbeat.json"
    program = (
        "import os, pathlib, sys\n"
        "from bench.core.heartbeat import Heartbeat\n"
        "from bench.core.interrupts import leave_at_interrupt\n"
        "leave_at_interrupt()\n"
        "with Heartbeat(pathlib.Path(sys.argv[1]), 'measuring'):\n"
        "    os.kill(os.getpid(), int(sys.argv[2]))\n"
    )
    subprocess.run([sys.executable, "-c", program, path, str(int(number))], check=False)
    beat = read(path)
    assert beat is not None and beat.phase == "stopped"


def test_one_of_several_processes_writes(tmp_path: Path) -> None:
    with Heartbeat(tmp_path / "heartbeat.json", "training", active=False):
        pass
    assert not list(tmp_path.iterdir())


def test_a_beat_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    with Heartbeat(tmp_path / "gone" / "heartbeat.json", "measuring"):
        pass
    assert not list(tmp_path.iterdir())  # a run's folder that a user removed stays removed


def test_the_rate_counts_the_images_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    pulse = Heartbeat(Path("unused"), "training", step=50, steps=100, batch=4, active=False)
    assert pulse._now().seconds_left is None  # nothing is known yet
    pulse.step = 60
    monkeypatch.setattr(time, "monotonic", lambda: 105.0)
    beat = pulse._now()
    assert beat.images_per_s == 8.0  # 40 images in 5 seconds
    assert beat.seconds_left == 20.0  # 160 images at that rate


def test_a_task_of_an_array_is_named_as_slurm_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "347")
    assert heartbeat.job() == "347"
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "345")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    assert heartbeat.job() == "345_2"


def test_a_beat_says_who_works() -> None:
    assert BEAT.worker == "node7 (process 12, job 345)"
    assert replace(BEAT, job="").worker == "node7 (process 12)"


def test_no_file_is_no_beat(tmp_path: Path) -> None:
    assert read(tmp_path / "heartbeat.json") is None


@pytest.mark.parametrize(
    "change",
    [{"step": "60"}, {"time": float("nan")}, {"period": float("inf")}, {"pid": -1},
     {"step": 10**400}, {"host": None}, {"more": 1}],
)  # fmt: skip
def test_a_damaged_heartbeat_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "heartbeat.json"
    path.write_text(json.dumps(asdict(BEAT)))
    assert read(path) == BEAT
    path.write_text(json.dumps(asdict(BEAT) | change))
    with pytest.raises(UserError, match=r"heartbeat\.json is damaged"):
        read(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "\x00"])
def test_another_file_is_no_heartbeat(tmp_path: Path, text: str) -> None:
    path = tmp_path / "heartbeat.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"heartbeat\.json"):
        read(path)
