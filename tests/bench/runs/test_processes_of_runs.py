"""Runs in processes of their own: killed, interrupted, refused, and several for one run."""

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from bench.runs.run import Run


def bench(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *words], capture_output=True, text=True, check=check
    )


@pytest.mark.slow
@pytest.mark.parametrize("compile_step", ["off", "on"])
def test_a_killed_run_resumes_to_the_same_bits(
    tmp_path: Path, tiny: list[str], compile_step: str
) -> None:
    words = ["run", "--variant", "full", *tiny, "--steps", "60", "--checkpoint-every", "5",
             "--validate-every", "20", "--compile-step", compile_step]  # fmt: skip
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    bench(*words, "--out", str(whole))

    process = subprocess.Popen(
        [sys.executable, "-m", "bench", *words, "--out", str(killed)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    folder = killed / "full-quick-seed0"
    deadline = time.monotonic() + 120
    while not list((folder / "checkpoints").glob("000*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert Run(folder).progress == "running"
    assert not (folder / "weights.safetensors").exists()

    resumed = bench(*words, "--out", str(killed))
    assert "resuming after step" in resumed.stderr
    other = whole / folder.name
    for name in ("weights.safetensors", "validation.csv", "scalars.csv"):
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name
    losses = [_losses(f / "log.csv") for f in (folder, other)]
    assert losses[0] == losses[1]
    assert _values(folder / "records.csv") == _values(other / "records.csv")


def test_ctrl_c_in_a_training_tells_what_is_kept_and_the_command(
    tmp_path: Path, tiny: list[str]
) -> None:
    run = Run(tmp_path / "my runs" / "forward-quick-seed0")
    words = ["run", "--variant", "forward", *tiny, "--out", str(run.path.parent), "--steps", "5000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", *words], stderr=subprocess.PIPE, text=True
    )
    while not run.log.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    *_, told, command = process.communicate()[1].splitlines()
    assert process.returncode == 130
    step = int(json.loads(run.heartbeat.read_text())["step"])
    assert told == (
        f"stopped after step {step} of 5000, which is kept; the same command goes on from there:"
    )
    assert shlex.split(command) == ["python", "-m", "bench", *words]


def test_a_run_in_work_refuses_a_second_process(tmp_path: Path, tiny: list[str]) -> None:
    folder = tmp_path / "forward-quick-seed0"
    with FileLock(Run(folder).lock):
        result = bench("run", "--variant", "forward", *tiny, "--out", str(tmp_path), check=False)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(f"error: {folder} is being worked on")


def torchrun(*words: str) -> list[str]:
    """The command that runs the suite in two processes."""
    launcher = shutil.which("torchrun", path=str(Path(sys.executable).parent)) or "torchrun"
    start = [launcher, "--standalone", "--nproc-per-node", "2", "-m", "bench"]
    return [*start, "run", "--variant", "full", *words, "--device", "cpu", "--batch-size", "4"]


@pytest.mark.slow
def test_two_processes_train_one_run(tmp_path: Path, tiny: list[str]) -> None:
    words = torchrun(*tiny, "--out", str(tmp_path))
    subprocess.run(words, check=True, capture_output=True)
    run = Run(tmp_path / "full-quick-seed0")
    assert run.progress == "finished" and run.damaged() == {}
    assert json.loads((run.path / "environment.json").read_text())["processes"] == 2
    one = bench("run", "--variant", "full", *tiny, "--device", "cpu", "--batch-size", "4",
                "--out", str(tmp_path), check=False)  # fmt: skip
    assert one.returncode == 2 and "processes: 2 -> 1" in one.stderr


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [["--lr", "nan"], ["--images", "folder:absent"]])
def test_of_two_processes_one_tells_the_error(
    tmp_path: Path, tiny: list[str], wrong: list[str]
) -> None:
    words = torchrun(*tiny, *wrong, "--out", str(tmp_path / "runs"))
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "exitcode  : 2" in result.stderr  # of a process: torchrun itself ends with 1


@pytest.mark.slow
def test_two_processes_stop_together(tmp_path: Path, tiny: list[str]) -> None:
    run = Run(tmp_path / "full-quick-seed0")
    words = torchrun(*tiny, "--steps", "5000", "--checkpoint-every", "5000", "--out", str(tmp_path))
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    while not run.log.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert err.count("\nstopped after step ") == 1
    assert run.progress == "running" and len(list(run.checkpoints.iterdir())) == 1


def _losses(path: Path) -> list[list[str]]:
    """Rows without the speed, which differs between any two runs."""
    rows = [line.split(",") for line in path.read_text().splitlines()]
    skip = rows[0].index("images_per_s")
    return [row[:skip] + row[skip + 1 :] for row in rows]


def _values(path: Path) -> list[str]:
    """Records without the seconds, the last column."""
    return [line.rpartition(",")[0] for line in path.read_text().splitlines()]
