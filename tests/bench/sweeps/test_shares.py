import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from bench.sweeps import shares
from bench.sweeps.shares import environments, visible_gpus


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def gpus_of(slots: int, processes: int) -> list[str]:
    return [e["CUDA_VISIBLE_DEVICES"] for e in environments(slots, processes)]


@pytest.mark.parametrize(
    "slots, processes, threads", [(1, 1, "8"), (2, 1, "4"), (2, 2, "2"), (3, 1, "2"), (20, 1, "1")]
)
def test_cores_are_shared_out(slots: int, processes: int, threads: str) -> None:
    found = environments(slots, processes)
    assert [e["OMP_NUM_THREADS"] for e in found] == [threads] * slots
    assert {e["OMP_WAIT_POLICY"] for e in found} == {"PASSIVE"}


def test_threads_that_the_user_set_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert {e["OMP_NUM_THREADS"] for e in environments(2, 1)} == {"5"}
    assert {e["OMP_WAIT_POLICY"] for e in environments(2, 1)} == {"ACTIVE"}


def test_the_rest_of_the_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LBAM_TEST", "here")
    assert {e["LBAM_TEST"] for e in environments(2, 1)} == {"here"}


@pytest.mark.parametrize(
    "named, slots, processes, given",
    [
        ("4,5,6", 2, 1, ["4", "5"]),
        ("4, 5,6,7", 2, 2, ["4,5", "6,7"]),
        ("4,5", 3, 1, ["4", "5", "4"]),
        ("4,5,6", 2, 2, ["4,5", "6,4"]),
        ("4", 2, 2, ["4", "4"]),  # a device that stands there twice would hide all of them
        ("GPU-0a,MIG-1b", 2, 1, ["GPU-0a", "MIG-1b"]),
        ("", 2, 1, ["", ""]),
        ("-1", 2, 1, ["-1", "-1"]),
    ],
)
def test_gpus_that_the_user_chose_are_shared_out(
    named: str, slots: int, processes: int, given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert gpus_of(slots, processes) == given


def test_all_gpus_are_shared_out_where_the_user_chose_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(shares, "ctypes", SimpleNamespace(CDLL=lambda name: None))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert visible_gpus() == ["0", "1", "2"]
    assert gpus_of(2, 1) == ["0", "1"]


def test_a_machine_without_a_driver_imports_no_torch() -> None:
    program = (
        "import ctypes, os, sys, bench.sweeps.local\n"
        "from bench.sweeps.shares import visible_gpus\n"
        "os.environ.pop('CUDA_VISIBLE_DEVICES', None)\n"
        "def absent(name): raise OSError\n"
        "ctypes.CDLL = absent\n"
        "assert visible_gpus() == [] and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
