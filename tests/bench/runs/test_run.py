"""The folder of a run: its states, its lock, its replacement and its damage."""

import platform
import threading
import time
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.core.errors import UserError
from bench.core.files import write_json
from bench.core.heartbeat import MISSED, Beat
from bench.runs.run import Run, find, sound


def test_states_follow_the_work(tmp_path: Path) -> None:
    run = Run(tmp_path / "r")
    assert run.progress == "absent"
    run.begin({"a": 1}, {}, {})
    assert run.progress == "running"
    with pytest.raises(RuntimeError), run.working():
        raise RuntimeError("out of memory")
    assert run.progress == "failed"
    assert "out of memory" in (run.path / "state.json").read_text()
    with run.working():
        pass
    assert run.progress == "finished"
    assert find(tmp_path) == [run]


def test_differences_of_an_identity_are_shown(tmp_path: Path) -> None:
    run = Run(tmp_path / "r")
    run.begin({"steps": 10, "ratio": (0.1, 0.5), "old": 1}, {}, {})
    assert run.differences({"steps": 10, "ratio": (0.1, 0.5), "old": 1}) == {}
    assert run.differences({"steps": 20, "ratio": (0.1, 0.5)}) == {
        "old": "old: 1 -> None", "steps": "steps: 10 -> 20"
    }  # fmt: skip


def test_a_second_holder_of_the_lock_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path / "r")
    with (
        run.locked(),
        pytest.raises(UserError, match="another process"),
        Run(tmp_path / "r").locked(),
    ):
        pass
    with run.locked():
        pass


BEAT = Beat("training", "node7", 123, "45", 0.05, 1000.0, 60, 100, 4, 8.0)
"""A beat of another machine, whose clock is far behind."""


def beats(run: Run, *phases: str) -> threading.Thread:
    """Write a beat now, and one for each further phase while others look; start its thread."""
    first, *others = phases
    write_json(run.heartbeat, asdict(replace(BEAT, phase=first)))

    def later() -> None:
        for step, phase in enumerate(others, 61):
            time.sleep(BEAT.period)
            write_json(run.heartbeat, asdict(replace(BEAT, phase=phase, step=step)))

    thread = threading.Thread(target=later)
    thread.start()
    return thread


def begun(path: Path) -> Run:
    run = Run(path)
    run.begin({}, {}, {})
    return run


@pytest.mark.parametrize("redo", [False, True])
def test_a_process_of_another_host_that_is_alive_keeps_the_run(tmp_path: Path, redo: bool) -> None:
    run = begun(tmp_path / "r")
    claimed = begun(run.successor.path) if redo else run
    other = beats(claimed, "training", "training")
    with (
        pytest.raises(
            UserError,
            match=rf"{run.path} is being worked on by node7 \(process 123, job 45\); if that is "
            rf"wrong, remove {claimed.heartbeat}",
        ),
        run.locked(),
    ):
        pass
    other.join()
    assert claimed.heartbeat.exists()  # the other still beats
    assert not run.held


def test_a_run_of_another_host_that_stays_silent_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(tmp_path / "r")
    beats(run, "training")
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr("bench.runs.run.time", clock)
    with run.locked():
        assert MISSED * BEAT.period <= sum(slept) < (MISSED + 1) * BEAT.period
        assert not run.heartbeat.exists()


@pytest.mark.parametrize("ends", [("stopped",), ("training", "stopped")])
def test_work_of_another_host_that_stopped_in_good_order_is_no_claim(
    tmp_path: Path, ends: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(tmp_path / "r")
    other = beats(run, *ends)
    monkeypatch.setattr("bench.runs.run.MISSED", 10**6)  # nobody waits until then
    with run.locked():
        pass
    other.join()


@pytest.mark.parametrize("ended", ["failed", "finished"])
def test_a_run_that_is_not_in_work_has_no_claim(tmp_path: Path, ended: str) -> None:
    run = begun(tmp_path / "r")
    with suppress(RuntimeError), run.working():
        if ended == "failed":
            raise RuntimeError
    assert run.progress == ended
    write_json(run.heartbeat, asdict(replace(BEAT, period=10.0**6)))
    with run.locked():
        pass


@pytest.mark.parametrize("file", ["heartbeat.json", "state.json"])
def test_a_damaged_file_keeps_nobody_from_the_run(tmp_path: Path, file: str) -> None:
    run = begun(tmp_path / "r")
    beats(run, "training")
    (run.path / file).write_text("{")
    with run.locked():
        assert not run.heartbeat.exists()


def test_a_process_of_this_host_is_judged_by_the_lock_alone(tmp_path: Path) -> None:
    run = begun(tmp_path / "r")
    write_json(run.heartbeat, asdict(replace(BEAT, host=platform.node(), period=10.0**6)))
    with run.locked():
        pass


def test_the_holder_of_the_lock_is_named(tmp_path: Path) -> None:
    run = begun(tmp_path / "r")
    with run.locked():
        beats(run, "training")
        with (
            pytest.raises(UserError, match=r"worked on by node7 \(process 123, job 45\); wait"),
            Run(run.path).locked(),
        ):
            pass


def finished(path: Path, content: str = "old") -> Run:
    """Write a finished run with one table."""
    run = Run(path)
    run.begin({"method": content}, {}, {})
    with run.working():
        run.records.write_text(content)
    return run


def test_what_killed_processes_left_goes_with_the_lock(tmp_path: Path) -> None:
    run = finished(tmp_path / "r")
    left = run.path / "pictures" / ".00002_mask-encoder-3.16989.tmp.webp"
    left.parent.mkdir()
    left.touch()
    with run.locked():
        assert not left.exists()
        assert run.progress == "finished"
    assert [p.name for p in tmp_path.iterdir() if p != run.path] == [".r.lock"]


def test_a_picture_that_is_no_longer_drawn_has_no_sum(tmp_path: Path) -> None:
    run = Run(tmp_path / "r")
    run.begin({"method": "m", "test pairs": "p"}, {}, {})
    run.pictures.own.mkdir()
    with run.working():
        for pair in (0, 1):
            run.pictures.file(pair, "output").touch()
    run.pictures.file(1, "output").unlink()
    run.seal_pictures()
    assert run.pictured == {0} and run.damaged() == {}


def test_a_run_is_replaced_by_its_successor(tmp_path: Path) -> None:
    run = finished(tmp_path / "r")
    with run.locked():
        run.replace_by(finished(run.successor.path, "new"))
    assert run.records.read_text() == "new"
    assert find(tmp_path) == [run]
    assert {p.name for p in tmp_path.iterdir()} == {"r", ".r.lock"}


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_replacement_that_was_killed_is_completed_or_never_was(
    tmp_path: Path, renames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "r")
    rename, done = Path.rename, []

    def killed(path: Path, target: Path = tmp_path) -> Path:
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(target)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", killed)
    monkeypatch.setattr("bench.runs.run.remove", killed)
    with pytest.raises(KeyboardInterrupt), run.locked():
        run.replace_by(finished(run.successor.path, "new"))
    monkeypatch.undo()
    with run.locked():
        assert run.records.read_text() == ("old" if renames == 0 else "new")
    assert run.damaged() == {}


def test_a_replacement_follows_no_link_out_of_the_run(tmp_path: Path) -> None:
    elsewhere = finished(tmp_path / "scratch" / "r")
    run = Run(tmp_path / "runs" / "r")
    run.path.parent.mkdir()
    run.path.symlink_to(elsewhere.path)
    with run.locked():
        run.replace_by(finished(run.successor.path, "new"))
    assert (run.records.read_text(), elsewhere.records.read_text()) == ("new", "old")


def test_a_hidden_folder_is_no_run(tmp_path: Path) -> None:
    finished(tmp_path / ".r.redo")
    assert find(tmp_path) == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"state": "done"}', '{"state": 3}', "\xff"])
def test_a_state_of_another_shape_is_named(tmp_path: Path, content: str) -> None:
    run = finished(tmp_path / "r")
    run.state.write_text(content, encoding="latin-1")
    with pytest.raises(UserError, match=r"state\.json"):
        _ = run.progress
    good, problems = sound([run, finished(tmp_path / "s")])
    assert [r.name for r in good] == ["s"]
    assert len(problems) == 1 and "state.json" in problems[0]


def test_a_run_with_changed_numbers_is_not_sound(tmp_path: Path) -> None:
    changed, unfinished, good = (
        finished(tmp_path / "a"),
        Run(tmp_path / "b"),
        finished(tmp_path / "c"),
    )
    unfinished.begin({"method": "m"}, {}, {})
    changed.records.write_text("new")
    assert sound([changed, unfinished, good]) == (
        [good],
        [f"{changed.records} was changed after it was written; the command that made the run "
         "makes it again"],
    )  # fmt: skip
    for name in ("identity.json", "config.json", "environment.json"):
        (good.path / name).write_text("{}")
        with pytest.raises(UserError, match=f"{name} was changed.*--redo"):
            good.damaged()
        write_json(good.path / name, {"method": "old"} if name == "identity.json" else {})


def test_a_failure_is_told_though_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path / "r")
    run.begin({}, {}, {})

    def full(*_: object) -> None:
        raise UserError("cannot write state.json: no space left")

    with pytest.raises(RuntimeError, match="first"), run.working():
        monkeypatch.setattr("bench.runs.run.write_json", full)
        raise RuntimeError("first")
