"""The job of a run, in a process of its own, with submitit's environment of a local job."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import psutil
import pytest
import submitit
from submitit.local.local import LOCAL_REQUEUE_RETURN_CODE as REQUEUED

from bench.core.heartbeat import read
from bench.runs.run import Run
from bench.sweeps.requeued import RequeuedCommand

PARENT = "import pickle, sys; pickle.loads(bytes.fromhex(sys.argv[1]))()"
TRAINING = """
import pathlib, signal, sys, time
def stop(number, frame):
    got.append(number)
got = []
signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[1]).touch()
while not got:
    time.sleep(0.01)
time.sleep(0.2)
sys.exit(int(sys.argv[2]) if got == [signal.SIGTERM] else 99)
"""
"""A program that ends after a signal as a training does, with a code of choice."""


def start(words: Sequence[str], **environment: str) -> subprocess.Popen[bytes]:
    local = {"SUBMITIT_EXECUTOR": "local", "SUBMITIT_LOCAL_JOB_ID": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, pickle.dumps(RequeuedCommand(words)).hex()],
        env=os.environ | local | environment,
    )


def until(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert file.exists()


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_the_words_of_the_command_are_all_that_is_pickled() -> None:
    assert vars(RequeuedCommand(("a", "b"))) == {"words": ["a", "b"]}


@pytest.mark.parametrize(
    ("program", "code"),
    [("pass", 0), ("raise SystemExit(2)", 2), ("raise SystemExit(75)", REQUEUED),
     ("import os; os.kill(os.getpid(), 9)", 128 + 9)],
)  # fmt: skip
def test_a_job_ends_as_its_command_does_and_is_requeued_where_that_stopped(
    program: str, code: int
) -> None:
    assert start(python(program)).wait() == code


@pytest.mark.parametrize("code", [75, 1])  # torchrun ends with 1
@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_a_signal_stops_the_command_in_good_order_and_requeues_the_job(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    begun = tmp_path / "begun"
    job = start([*python(TRAINING), str(begun), str(code)])
    until(begun)
    job.send_signal(number)
    job.send_signal(number)  # the command is asked once
    assert job.wait() == REQUEUED


def test_a_command_that_finished_in_spite_of_a_signal_is_not_requeued(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    job = start([*python(TRAINING), str(begun), "0"])
    until(begun)
    job.send_signal(signal.SIGUSR2)
    assert job.wait() == 0


def test_the_signal_of_a_preemption_does_not_kill_the_command(tmp_path: Path) -> None:
    # Slurm sends it to every process of a job.
    program = "import os, signal; os.kill(os.getpid(), signal.SIGUSR2)"
    assert start(python(program)).wait() == 0


@pytest.mark.parametrize(("state", "requeued"), [("RUNNING", True), ("COMPLETING", False)])
def test_a_job_that_was_cancelled_is_not_brought_back(
    tmp_path: Path, state: str, requeued: bool
) -> None:
    calls = tmp_path / "calls"
    for name, text in (("squeue", f"echo {state}"), ("scontrol", f'echo "$@" >> {calls}')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    job = start(
        python("raise SystemExit(75)"), SUBMITIT_EXECUTOR="slurm", SLURM_JOB_ID="8",
        SLURM_ARRAY_JOB_ID="7", SLURM_ARRAY_TASK_ID="1", PATH=f"{tmp_path}:{os.environ['PATH']}",
    )  # fmt: skip
    assert job.wait() == 75
    assert (calls.read_text() if calls.exists() else "") == ("requeue 7_1\n" if requeued else "")


@pytest.mark.slow
def test_submitits_local_executor_makes_runs_one_of_them_preempted(
    tmp_path: Path, tiny: list[str]
) -> None:
    def command(method: str, root: str) -> list[str]:
        words = ["run", "--variant", method, *tiny, "--steps", "30", "--lpips", "off", "--out"]
        return [sys.executable, "-m", "bench", *words, str(tmp_path / root)]

    executor = submitit.LocalExecutor(tmp_path / "logs")
    executor.update_parameters(timeout_min=10)
    commands = [RequeuedCommand(command(method, "jobs")) for method in ("full", "forward")]
    jobs = executor.submit_array(commands)
    run = Run(tmp_path / "jobs" / "full-quick-seed0")
    until(run.log)
    beat = read(run.heartbeat)
    assert beat is not None
    psutil.Process(beat.pid).parent().send_signal(signal.SIGUSR2)
    for job in jobs:
        job.result()
    assert "Requeued job" in jobs[0].stderr() + jobs[0].stdout()
    assert "resuming after step" in jobs[0].stderr()

    subprocess.run(command("full", "undisturbed"), check=True)
    other = Run(tmp_path / "undisturbed" / run.name)
    assert run.weights.read_bytes() == other.weights.read_bytes()
    found, expected = (pd.read_csv(r.records).drop(columns="seconds") for r in (run, other))
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert Run(tmp_path / "jobs" / "forward-quick-seed0").progress == "finished"
