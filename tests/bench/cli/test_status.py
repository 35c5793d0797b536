"""`status` reads what runs leave in a folder, and a run tells how far it is."""

import json
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import pytest

from bench.cli.parser import main
from bench.core import sums
from bench.core.files import write_json
from bench.core.heartbeat import Beat, Heartbeat
from bench.runs import run as runs
from bench.sweeps.sweep import DESCRIPTION, Entry
from tests.bench.conftest import Run
from tests.conftest import TINY


def made(path: Path, state: str) -> runs.Run:
    run = runs.Run(path)
    run.begin({}, {}, {})
    if state == "finished":
        with run.working():
            pass
    return run


def test_the_exit_code_is_0_only_if_all_are_finished(run: Run, tmp_path: Path) -> None:
    assert run("status", tmp_path) == (1, f"no runs in {tmp_path}\n", "")
    made(tmp_path / "a", "finished")
    code, out, _ = run("status", tmp_path)
    assert code == 0 and [line.split("|")[2].strip() for line in out.splitlines()[2:]] == [
        "finished"
    ]
    made(tmp_path / "b", "running")
    code, out, _ = run("status", tmp_path)
    assert code == 1 and "no process works on it" in out


def test_runs_to_come_are_not_finished(run: Run, tmp_path: Path) -> None:
    made(tmp_path / "a", "finished")
    made(tmp_path / "unrelated", "running")
    entries = [asdict(Entry(name, "forward", "", [])) for name in "ab"]
    write_json(tmp_path / "ablation" / DESCRIPTION, {"report": "ablation", "runs": entries})
    code, out, _ = run("status", tmp_path / "ablation")
    assert code == 1 and "| b   | not started |" in out and "unrelated" not in out
    made(tmp_path / "b", "finished")
    code, out, _ = run("status", tmp_path / "ablation", "--json")
    assert code == 0 and [status["state"] for status in json.loads(out)] == ["finished"] * 2


def test_a_folder_that_is_not_there_is_a_mistake(run: Run, tmp_path: Path) -> None:
    for words in ([], ["--json"], ["--watch"]):
        code, out, err = run("status", tmp_path / "absent", *words)
        assert (code, out) == (2, "")
        assert err.startswith("error: no folder ") and err.count("\n") == 1


def test_json_holds_all_that_the_table_shows(run: Run, tmp_path: Path) -> None:
    assert json.loads(run("status", tmp_path, "--json")[1]) == []
    made(tmp_path / "a", "finished")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "state.json").write_text("{")
    code, out, _ = run("status", tmp_path, "--json")
    first, second = json.loads(out)
    assert code == 1 and (first["run"], first["state"]) == ("a", "finished")
    assert (first["psnr"], first["step"]) == (None, None)
    assert second["state"] == "damaged" and "state.json" in second["note"]


def test_watching_looks_again_until_ctrl_c(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise KeyboardInterrupt
        made(tmp_path / "late", "running")

    monkeypatch.setattr("bench.cli.status.time.sleep", pause)
    before = signal.getsignal(signal.SIGINT)
    try:
        code, out, err = run("status", tmp_path, "--watch")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (code, err) == (130, "")
    first, second = out.split("\n\n")[:2]
    assert first.startswith("no runs") and "late" in second
    assert "\x1b" not in out  # codes are for terminals


def test_ctrl_c_while_watching_is_one_line_end(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "status", str(tmp_path), "--watch"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "\n", "")


def test_a_run_beats_while_it_trains_and_measures_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats: list[Beat] = []
    write = Heartbeat._write

    def note(self: Heartbeat) -> None:
        write(self)
        beats.append(self._now())

    monkeypatch.setattr(Heartbeat, "_write", note)
    words = ["run", "--variant", "forward", *TINY, "--lpips", "off", "--out", str(tmp_path)]
    assert main(words) == 0
    # Beats of the thread may stand between those of the two beginnings and ends.
    first, *_, last = [beat for beat in beats if beat.phase == "training"]
    assert (first.step, first.steps, first.batch) == (0, 6, 2)
    assert (last.step, last.seconds_left) == (6, 0)
    assert beats[-1].phase == "measuring"
    made = runs.Run(tmp_path / "forward-quick-seed0")
    assert not made.heartbeat.exists() and made.heartbeat.name not in sums.read(made.path)
    assert "heartbeat" not in made.identity.read_text()
    del beats[:]
    assert main([*words, "--references", ""]) == 0
    assert not beats  # measured again, and finished all the while


def test_a_run_that_is_stopped_leaves_its_last_beat(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.training.log.TrainingLog.write_validation", interrupted)
    words = ["run", "--variant", "forward", *TINY, "--lpips", "off", "--out", str(tmp_path)]
    assert main(words) == 130
    (status,) = json.loads(run("status", tmp_path, "--json")[1])
    assert (status["state"], status["step"], status["steps"]) == ("stopped", 3, 6)
