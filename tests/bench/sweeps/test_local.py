"""The launcher `local`, mostly with stubs in place of runs."""

import io
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from filelock import FileLock

from bench.config import override
from bench.core.files import write_json
from bench.core.heartbeat import STOPPED, Beat
from bench.registry import find
from bench.runs.case import Case
from bench.runs.run import IN_WORK
from bench.sweeps import local
from bench.sweeps.local import launch
from bench.sweeps.sweep import Sweep
from tests.bench.sweeps.conftest import NAMES, WAIT, Stub, later, log_of, sweep_of, waiting_for

pytestmark = pytest.mark.usefixtures("short_pauses")


def test_one_slot_makes_the_runs_in_their_order(
    tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub()
    assert launch(sweep_of(tmp_path), 1) == {}
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"[{number}/4] {name}-quick-seed0: {what}"
        for number, name in enumerate(NAMES, 1)
        for what in ("begun", "finished")
    ]


def test_so_many_runs_are_in_work_at_once(tmp_path: Path, stub: Stub) -> None:
    events = tmp_path / "events"
    first, second = tmp_path / "first", tmp_path / "second"
    tell = f"import pathlib\nf = open({str(events)!r}, 'a')\nprint('begin', file=f, flush=True)\n"
    end = "time.sleep(0.05)\nprint('end', file=f, flush=True)\n"
    # The first two end only if both are there.
    one = tell + f"pathlib.Path({str(first)!r}).touch()\n" + WAIT.format(str(second)) + end
    two = tell + f"pathlib.Path({str(second)!r}).touch()\n" + WAIT.format(str(first)) + end
    rest = tell + "import time\n" + end
    stub(full=one, forward=two, sigmoid=rest, lrelu=rest)
    assert launch(sweep_of(tmp_path), 2) == {}
    at_work, most = 0, 0
    for event in events.read_text().split():
        at_work += 1 if event == "begin" else -1
        most = max(most, at_work)
    assert (at_work, most) == (0, 2)


def test_each_slot_has_its_share_of_the_machine(
    tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6,7")
    other = tmp_path / "other"
    told = "import os\nprint('gpu', os.environ['CUDA_VISIBLE_DEVICES'])\n"
    touch = f"import pathlib\npathlib.Path({str(other)!r}).touch()\n"
    stub(full=told + WAIT.format(str(other)), forward=told + touch)
    sweep = sweep_of(tmp_path, "full", "forward")
    assert launch(sweep, 2) == {}
    assert [log_of(sweep, n).read_text().splitlines()[-1] for n in (0, 1)] == ["gpu 6", "gpu 7"]


def test_the_machine_is_shared_by_no_more_slots_than_runs(
    tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    stub(full="import os\nprint(os.environ['OMP_NUM_THREADS'])")
    sweep = sweep_of(tmp_path, "full")
    launch(sweep, 4)
    assert log_of(sweep).read_text().endswith("\n8\n")


def test_failure_of_one_stops_no_other(
    tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub(
        full="import os\nos.kill(os.getpid(), 9)",
        forward="import sys\nprint('error: no folder DATA')\nsys.exit('by the way')",
        sigmoid="raise RuntimeError('a bug')",
    )
    sweep = sweep_of(tmp_path)
    logs = [log_of(sweep, number) for number in range(4)]
    assert launch(sweep, 2) == {
        "full-quick-seed0": f"killed by signal 9; see {logs[0]}",
        "forward-quick-seed0": f"no folder DATA; see {logs[1]}",
        "sigmoid-quick-seed0": f"RuntimeError: a bug; see {logs[2]}",
    }
    err = capsys.readouterr().err
    assert f"[2/4] forward-quick-seed0: failed: no folder DATA; see {logs[1]}\n" in err
    assert "[4/4] lrelu-quick-seed0: finished\n" in err


def test_a_run_that_knows_why_it_failed_is_asked(tmp_path: Path, stub: Stub) -> None:
    """`torchrun` ends with a report that says nothing."""
    stub(full="import sys\nprint('traceback : see https://pytorch.org')\nsys.exit(1)")
    sweep = sweep_of(tmp_path, "full")
    write_json(sweep.cases[0].run.state, {"state": "failed", "reason": "diverged at step 3"})
    assert launch(sweep, 1) == {"full-quick-seed0": f"diverged at step 3; see {log_of(sweep)}"}


def test_a_silent_failure_and_a_damaged_run_are_told(tmp_path: Path, stub: Stub) -> None:
    stub(full="import os\nos._exit(3)", forward="import os\nos._exit(3)")
    sweep = sweep_of(tmp_path, "full", "forward")
    sweep.cases[1].run.path.mkdir(parents=True)
    sweep.cases[1].run.state.write_text("{}")
    failed = launch(sweep, 2)
    assert failed["full-quick-seed0"] == f"exit code 3; see {log_of(sweep)}"
    assert "state.json is damaged" in failed["forward-quick-seed0"]


def test_a_run_that_somebody_else_stopped_tells_what_is_kept(tmp_path: Path, stub: Stub) -> None:
    stub(full="import sys\nprint('python -m bench run')\nsys.exit(75)")
    sweep = sweep_of(tmp_path, "full")
    (sweep.cases[0].run.checkpoints / "00000004").mkdir(parents=True)
    reason = f"stopped by a signal; step 4 is kept; see {log_of(sweep)}"
    assert launch(sweep, 1) == {"full-quick-seed0": reason}


def test_a_process_that_cannot_begin_is_a_failure_of_its_run(tmp_path: Path, stub: Stub) -> None:
    stub()
    sweep = sweep_of(tmp_path, "full", "forward")
    log_of(sweep).mkdir(parents=True)
    ((name, reason),) = launch(sweep, 1).items()
    assert name == "full-quick-seed0" and str(log_of(sweep)) in reason


def test_a_log_keeps_what_was_there(tmp_path: Path, stub: Stub) -> None:
    sweep = sweep_of(tmp_path, "full")
    stub(full="import sys\nsys.exit('error: first')")
    launch(sweep, 1)
    stub(full="import os\nos._exit(1)")
    assert launch(sweep, 1) == {"full-quick-seed0": f"exit code 1; see {log_of(sweep)}"}
    commands = [line for line in log_of(sweep).read_text().splitlines() if line.startswith("$ ")]
    assert len(commands) == 2 and "error: first" in log_of(sweep).read_text()


def test_a_command_is_that_of_the_case(tmp_path: Path) -> None:
    (case,) = sweep_of(tmp_path, "full").cases
    python = sys.executable
    assert local.command(case.words(), 1) == [python, "-m", "bench", *case.words()]
    assert local.command(["run"], 2) == [
        python, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "bench",
        "run",
    ]  # fmt: skip


@pytest.mark.parametrize("redo", [False, True])
def test_the_options_of_the_sweep_and_redo_are_passed_on(
    tmp_path: Path, stub: Stub, redo: bool
) -> None:
    stub(full="import sys\nprint(sys.argv[-2:])")
    (case,) = sweep_of(tmp_path, "full").cases
    sweep = Sweep(tmp_path / "runs" / "comparison", (case,), "comparison")
    launch(sweep, 1, redo=redo)
    last = ["--cost", "--redo"] if redo else [str(tmp_path / "runs"), "--cost"]
    assert log_of(sweep).read_text().endswith(f"\n{last}\n")


def test_a_run_in_other_hands_is_waited_for(
    tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub(sigmoid=f"open({str(tmp_path / 'others')!r}, 'w')")
    sweep = sweep_of(tmp_path, "full", "forward", "sigmoid")
    run = sweep.cases[0].run
    write_json(run.heartbeat, asdict(Beat("training", "here", 123, "", 5.0, 0.0, 3, 6, 2, 1.0)))
    lock = FileLock(run.lock, thread_local=False)
    lock.acquire()
    thread = later(lambda: waiting_for([tmp_path / "others"]), lock.release)
    assert launch(sweep, 2) == {}
    thread.join()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "[1/3] full-quick-seed0: waits for process 123, which works on it"
    assert sum("waits" in line for line in lines) == 1
    begun = lines.index("[1/3] full-quick-seed0: begun")
    assert begun > lines.index("[2/3] forward-quick-seed0: finished")
    assert lines.index("[1/3] full-quick-seed0: finished") > begun


def test_a_process_that_was_not_the_first_waits_for_the_other(
    tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that has just begun imports, and holds nothing yet."""
    tried = tmp_path / "tried"
    sweep = sweep_of(tmp_path, "full")
    sweep.folder.mkdir(parents=True)
    stub(
        full=f"import os, pathlib, sys\ntried = pathlib.Path({str(tried)!r})\n"
        "if tried.exists(): sys.exit(0)\n"
        "tried.touch()\n"
        f"sys.exit('error: runs/full {IN_WORK}; wait for it')"
    )
    assert launch(sweep, 1) == {}
    title = "[1/1] full-quick-seed0"
    assert capsys.readouterr().err.splitlines() == [
        f"{title}: begun", f"{title}: begun", f"{title}: finished"
    ]  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("redo", [False, True])
def test_a_terminal_shows_how_far_each_slot_is(
    tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch, redo: bool
) -> None:
    seen = tmp_path / "seen"
    stub(full=WAIT.format(str(seen)))
    sweep = sweep_of(tmp_path, "full")
    run = sweep.cases[0].run.successor if redo else sweep.cases[0].run
    beat = Beat("training", "here", 1, "", 5.0, 0.0, 3, 6, 2, 1.5)
    write_json(run.heartbeat, asdict(beat))
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)

    def look() -> None:
        while "[1/1] full-quick-seed0: step 3 of 6, 1.5 images/s, 00:04 left" not in (
            screen.getvalue()
        ):
            time.sleep(0.005)
        seen.touch()

    later(look)
    assert launch(sweep, 1, redo=redo) == {}
    assert "50%" in screen.getvalue()
    assert "[1/1] full-quick-seed0: finished" in screen.getvalue()


def test_progress_in_words() -> None:
    assert local.progress(None) == "at work"
    beat = Beat("measuring", "here", 1, "", 5.0, 0.0, 0, 0, 0, 0.0)
    assert local.progress(beat) == "measuring"
    assert local.progress(replace(beat, phase=STOPPED)) == "at work"  # of a process before


@pytest.mark.slow
def test_two_processes_each_make_what_torchrun_makes(tmp_path: Path, tiny: list[str]) -> None:
    from bench.cli import options
    from bench.cli.parser import build_parser

    words = ["run", "--variant", "full", *tiny, "--device", "cpu", "--batch-size", "4"]
    config = options.config(build_parser()[0].parse_args(words))
    cases = tuple(
        Case(find("full"), override(config, {"seed": seed}), tmp_path / "runs") for seed in (0, 1)
    )
    assert launch(Sweep(tmp_path / "runs" / "ablation", cases), 2, processes=2) == {}
    for case in cases:
        assert case.run.progress == "finished" and case.run.damaged() == {}
    direct = local.command([*words, "--out", str(tmp_path / "direct")], 2)
    subprocess.run(direct, check=True, capture_output=True)
    other = tmp_path / "direct" / cases[0].run.name
    assert values(cases[0].run.records) == values(other / "records.csv")
    assert cases[0].run.weights.read_bytes() == (other / "weights.safetensors").read_bytes()


def values(path: Path) -> list[str]:
    """Records without the seconds, the last column."""
    return [line.rpartition(",")[0] for line in path.read_text().splitlines()]
