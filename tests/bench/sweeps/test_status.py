import fcntl
import json
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.core.errors import UserError
from bench.core.files import write_json
from bench.core.heartbeat import MISSED, Beat, Heartbeat
from bench.runs.environment import environment
from bench.runs.run import Run
from bench.sweeps.status import Status, survey
from bench.sweeps.sweep import DESCRIPTION, Entry


def begun(path: Path) -> Run:
    run = Run(path)
    run.begin({}, {}, {"device": "CPU, 2 threads"})
    return run


def beats(run: Run, age: float = 0.0, host: str = platform.node(), phase: str = "training") -> None:
    beat = Beat(phase, host, 12, "345", 5.0, time.time() - age, 60, 100, 4, 8.0)
    write_json(run.heartbeat, asdict(beat))


def only(root: Path) -> Status:
    (status,) = survey(root)
    return status


def test_a_run_in_training(tmp_path: Path) -> None:
    run = begun(tmp_path / "r")
    with run.locked():
        assert (only(tmp_path).state, only(tmp_path).note) == ("running", "starting")
        run.validation.write_text("step,psnr\n30,20.5\n60,21.25\n")
        beats(run)
        assert only(tmp_path) == Status(
            "r", False, "running", "training", 60, 100, 8.0, 20.0, 21.25, platform.node(),
            "CPU, 2 threads", "345",
        )  # fmt: skip


def test_a_run_that_is_measured(tmp_path: Path) -> None:
    run = begun(tmp_path / "r")
    with run.locked(), Heartbeat(run.heartbeat, "measuring"):
        status = only(tmp_path)
    assert (status.state, status.note, status.step) == ("running", "measuring", None)


def test_a_run_that_nobody_holds_is_stale_and_tells_where_it_was(tmp_path: Path) -> None:
    run = begun(tmp_path / "r")
    assert (only(tmp_path).state, only(tmp_path).note) == ("stale", "no process works on it")
    beats(run)
    status = only(tmp_path)
    assert (status.state, status.note) == ("stale", "no process works on it")
    assert (status.step, status.job) == (60, "345")
    assert status.images_per_s is status.seconds_left is None  # nothing goes on


def test_a_run_that_stopped_in_good_order_says_how_it_goes_on(tmp_path: Path) -> None:
    run = begun(tmp_path / "r")
    for host, age in [(platform.node(), 0), ("elsewhere", 0), ("elsewhere", 3600)]:
        beats(run, age, host, phase="stopped")
        status = only(tmp_path)
        assert (status.state, status.note) == ("stopped", "the same command goes on")
        assert (status.step, status.host, status.images_per_s) == (60, host, None)


def test_a_run_that_is_held_and_silent_is_stale(tmp_path: Path) -> None:
    run = begun(tmp_path / "r")
    with run.locked():
        beats(run, age=MISSED * 5.0 - 20)
        assert only(tmp_path).state == "running"
        beats(run, age=3600)
        assert only(tmp_path).state == "stale"
        assert only(tmp_path).note.startswith("no heartbeat for 1:00:0")


def test_another_machine_is_judged_by_its_heartbeat_alone(tmp_path: Path) -> None:
    run = begun(tmp_path / "r")
    beats(run, host="elsewhere")  # its lock may not be seen here
    assert (only(tmp_path).state, only(tmp_path).host) == ("running", "elsewhere")
    beats(run, age=-30, host="elsewhere")  # its clock is ahead
    assert only(tmp_path).state == "running"
    beats(run, age=3600, host="elsewhere")
    assert only(tmp_path).state == "stale"


def test_a_failed_run_tells_why_and_where(tmp_path: Path) -> None:
    run = begun(tmp_path / "r")
    beats(run, host="node7")
    with pytest.raises(UserError), run.working():
        raise UserError("the training diverged:\nthe term 'hole' is nan")
    status = only(tmp_path)
    assert (status.state, status.host, status.step) == ("failed", "node7", 60)
    assert status.note == "the training diverged: the term 'hole' is nan"


def test_a_finished_run_has_no_heartbeat(tmp_path: Path) -> None:
    run = begun(tmp_path / "r")
    with run.working():
        beats(run)
    assert (only(tmp_path).state, only(tmp_path).device) == ("finished", "CPU, 2 threads")
    assert not run.heartbeat.exists() and run.damaged() == {}


def test_a_new_process_removes_the_heartbeat_of_the_old(tmp_path: Path) -> None:
    run = begun(tmp_path / "r")
    beats(run, age=3600)
    with run.locked():
        assert (only(tmp_path).state, only(tmp_path).note) == ("running", "starting")


def test_a_redo_stands_next_to_the_run_that_it_will_replace(tmp_path: Path) -> None:
    old = begun(tmp_path / "r")
    begun(tmp_path / "s")
    with old.locked():  # as `--redo` does
        beats(begun(old.successor.path))
        states = [(s.run, s.redo, s.state) for s in survey(tmp_path)]
        assert sorted(states) == [
            ("r", False, "stale"), ("r", True, "running"), ("s", False, "stale")
        ]  # fmt: skip
        assert [name for name, *_ in states] == ["r", "r", "s"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "lost"}', '{"state": []}'])
@pytest.mark.parametrize("file", ["state.json", "heartbeat.json"])
def test_a_damaged_file_is_a_row_that_says_so(tmp_path: Path, file: str, text: str) -> None:
    run, other = begun(tmp_path / "r"), begun(tmp_path / "s")
    beats(other, host="elsewhere")
    (run.path / file).write_text(text)
    damaged, sound = survey(tmp_path)
    assert (damaged.state, sound.state) == ("damaged", "running")
    assert str(run.path / file) in damaged.note


def test_a_lock_that_cannot_be_read_hides_no_other_run(tmp_path: Path) -> None:
    begun(tmp_path / "r").lock.mkdir()
    begun(tmp_path / "s")
    assert [status.state for status in survey(tmp_path)] == ["damaged", "stale"]


@pytest.mark.parametrize("text", ["", "step,psnr\n", "step,psnr\n3", "step,psnr\n3,nan\n", "\x00"])
def test_a_validation_that_cannot_be_read_is_left_out(tmp_path: Path, text: str) -> None:
    run = begun(tmp_path / "r")
    run.validation.write_text(text)
    run.environment.write_text(text)
    assert (only(tmp_path).psnr, only(tmp_path).device) == (None, "")


def test_a_look_at_the_lock_refuses_nobody_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(tmp_path / "r")
    assert not run.held and not run.lock.exists()
    run.lock.touch()
    monkeypatch.setattr("bench.core.locks.PATIENCE", 60)
    look = run.lock.open("rb")
    fcntl.flock(look, fcntl.LOCK_SH)  # a look that lasts
    threading.Timer(0.1, look.close).start()
    with run.locked():
        assert run.held
    assert not run.held


def describe(folder: Path, **jobs: str) -> None:
    """Describe a sweep of these runs, with their jobs."""
    listed = [asdict(Entry(run, "forward", "", [], job)) for run, job in jobs.items()]
    write_json(folder / DESCRIPTION, {"report": "ablation", "runs": listed})


def states(folder: Path) -> dict[str, str]:
    return {status.run: status.state for status in survey(folder)}


def test_runs_to_come_are_listed_with_the_number_of_their_job(tmp_path: Path) -> None:
    describe(tmp_path / "ablation", a="", b="", c="12_3")
    describe(tmp_path / "comparison", c="")  # it has the run too, and asked no scheduler for it
    begun(tmp_path / "b")
    first, second, third = survey(tmp_path)
    assert first == Status("a", False, "not started")
    assert (second.run, second.state) == ("b", "stale")
    assert third == Status("c", False, "queued", job="12_3")


def test_a_run_whose_inputs_are_prepared_is_running(tmp_path: Path) -> None:
    describe(tmp_path / "ablation", a="12")
    with Run(tmp_path / "a").locked():
        assert only(tmp_path) == Status("a", False, "running", "starting", job="12")
    (tmp_path / ".a.lock").unlink()
    (tmp_path / ".a.lock").mkdir()
    assert only(tmp_path).state == "damaged"


def test_the_folder_of_a_sweep_lists_its_runs_alone(tmp_path: Path) -> None:
    describe(tmp_path / "ablation", a="", b="")
    describe(tmp_path / "comparison", c="")
    for name in ("b", "other"):
        begun(tmp_path / name)
    begun(Run(tmp_path / "b").successor.path)
    assert [(s.run, s.redo, s.state) for s in survey(tmp_path / "ablation")] == [
        ("a", False, "not started"), ("b", True, "stale"), ("b", False, "stale")
    ]  # fmt: skip
    assert states(tmp_path).keys() == {"a", "b", "c", "other"}


def test_a_damaged_description_hides_nothing(tmp_path: Path) -> None:
    describe(tmp_path / "ablation", a="")
    describe(tmp_path / "comparison", b="")
    begun(tmp_path / "c")
    (tmp_path / "ablation" / DESCRIPTION).write_text("{}")
    found = survey(tmp_path)
    assert {s.run: s.state for s in found} == {
        "ablation/sweep.json": "damaged", "b": "not started", "c": "stale"
    }  # fmt: skip
    assert str(tmp_path / "ablation" / DESCRIPTION) in found[0].note
    with pytest.raises(UserError, match=DESCRIPTION):
        survey(tmp_path / "ablation")


def test_a_finished_run_tells_where_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    run = Run(tmp_path / "r")
    run.begin({}, {}, environment())
    with run.working():
        pass
    status = only(tmp_path)
    assert (status.state, status.host, status.job) == ("finished", platform.node(), "77")
    assert status.device


def test_no_folder_is_a_mistake(tmp_path: Path) -> None:
    assert survey(tmp_path) == []
    with pytest.raises(UserError, match="no folder"):
        survey(tmp_path / "absent")


def test_a_killed_process_leaves_a_stale_run(tmp_path: Path, tiny: list[str]) -> None:
    words = ["run", "--variant", "forward", *tiny, "--steps", "50000", "--lpips", "off"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", *words, "--out", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(process, lambda: bool(survey(tmp_path)) and only(tmp_path).steps == 50000)
        assert (only(tmp_path).state, only(tmp_path).note) == ("running", "training")
        pid = json.loads((Run(tmp_path / "forward-quick-seed0").heartbeat).read_text())["pid"]
        assert pid == process.pid
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (only(tmp_path).state, only(tmp_path).note) == ("stale", "no process works on it")


def wait_until(process: subprocess.Popen[bytes], done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not done():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
