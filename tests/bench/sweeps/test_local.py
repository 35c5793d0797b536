"""The launcher `local`, mostly with stubs in place of runs: programs of a few milliseconds."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from bench.config import override
from bench.core.files import write_json
from bench.core.heartbeat import STOPPED, Beat
from bench.core.interrupts import REQUESTS, Stopped
from bench.presets import preset
from bench.registry import find
from bench.runs.case import Case
from bench.runs.run import IN_WORK
from bench.sweeps import local
from bench.sweeps.local import launch
from bench.sweeps.sweep import Sweep

NAMES = ("full", "forward", "sigmoid", "lrelu")
Stub = Callable[..., None]
WAIT = "import pathlib, time\nwhile not pathlib.Path({!r}).exists(): time.sleep(0.005)\n"
"""Program that waits for a file."""
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


@pytest.fixture(autouse=True)
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


def has_ended(process: int) -> bool:
    try:
        return bool(psutil.Process(process).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def later(*work: Callable[[], None]) -> threading.Thread:
    """Do things in a thread, one after the other."""
    thread = threading.Thread(target=lambda: [act() for act in work], daemon=True)
    thread.start()
    return thread


def send(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


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
