import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from bench.core.errors import UserError
from bench.runs.run import Run, find


def bench(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *words], capture_output=True, text=True, check=check
    )


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


def test_clear_keeps_the_lock(tmp_path: Path) -> None:
    run = Run(tmp_path / "r")
    with run.locked():
        run.begin({}, {}, {})
        (run.path / "checkpoints").mkdir()
        run.clear()
        assert [p.name for p in run.path.iterdir()] == ["lock"]


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_bits(tmp_path: Path, tiny: list[str]) -> None:
    words = ["run", "--variant", "full", *tiny, "--steps", "60", "--checkpoint-every", "5",
             "--validate-every", "20"]  # fmt: skip
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


def test_a_run_in_work_refuses_a_second_process(tmp_path: Path, tiny: list[str]) -> None:
    folder = tmp_path / "forward-quick-seed0"
    folder.mkdir()
    with FileLock(folder / "lock"):
        result = bench("run", "--variant", "forward", *tiny, "--out", str(tmp_path), check=False)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(f"error: {folder} is being worked on")


@pytest.mark.slow
def test_two_processes_train_one_run(tmp_path: Path, tiny: list[str]) -> None:
    launcher = shutil.which("torchrun", path=str(Path(sys.executable).parent)) or "torchrun"
    words = ["-m", "bench", "run", "--variant", "full", *tiny, "--batch-size", "4"]
    subprocess.run(
        [launcher, "--standalone", "--nproc-per-node", "2", *words, "--out", str(tmp_path)],
        check=True,
        capture_output=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    run = Run(tmp_path / "full-quick-seed0")
    assert run.progress == "finished"
    assert json.loads((run.path / "environment.json").read_text())["processes"] == 2
    assert len(_losses(run.path / "log.csv")) == 7


@pytest.mark.slow
def test_two_processes_log_what_one_does(tmp_path: Path, tiny: list[str]) -> None:
    """Contextual attention has no batch norm, which alone sees the images of its own process."""
    words = ["-m", "bench", "run", "--baseline", "contextual-attention", *tiny, "--batch-size", "4",
             "--steps", "3", "--log-every", "1"]  # fmt: skip
    depth = words.index("--depth")
    del words[depth : depth + 2]  # it has none
    launcher = shutil.which("torchrun", path=str(Path(sys.executable).parent)) or "torchrun"
    two = [launcher, "--standalone", "--nproc-per-node", "2"]
    logs = []
    for name, start in (("one", [sys.executable]), ("two", two)):
        out = ["--out", str(tmp_path / name)]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
        subprocess.run([*start, *words, *out], check=True, capture_output=True, env=environment)
        logs.append(_losses(tmp_path / name / "contextual-attention-quick-seed0" / "log.csv"))
    (header, *one), (_, *other) = logs
    assert header == ["step", "critic", "penalty", "hole", "known", "adversarial", "total"]
    assert len(one) == len(other) == 3
    for row, twin in zip(one, other, strict=True):
        expected = pytest.approx([float(x) for x in row], rel=2e-3, abs=2e-5)
        assert [float(x) for x in twin] == expected


def _losses(path: Path) -> list[list[str]]:
    """Rows without the speed, which differs between any two runs."""
    rows = [line.split(",") for line in path.read_text().splitlines()]
    skip = rows[0].index("images_per_s")
    return [row[:skip] + row[skip + 1 :] for row in rows]


def _values(path: Path) -> list[str]:
    """Records without the seconds, the last column."""
    return [line.rpartition(",")[0] for line in path.read_text().splitlines()]
