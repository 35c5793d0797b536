"""The script `run`, at a size for a CPU and with parts that go wrong."""

import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tests.gpu.measures import covered

SCRIPT = Path(__file__).with_name("run")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = spec_from_loader("gpu_run", SourceFileLoader("gpu_run", str(SCRIPT)))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gpu_run", module)
    spec.loader.exec_module(module)
    return module


def test_a_part_that_fails_or_hangs_costs_no_other(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hangs = "import time; print('hanging', flush=True); time.sleep(1000)"
    parts = {
        "broken": script.Part("Broken", ["-c", "raise SystemExit('no such thing')"], 60),
        "endless": script.Part("Endless", ["-c", hangs], 1, whole=False),
        "good": script.Part("Good", ["-c", "print('| a | b |')"], 60),
    }
    monkeypatch.setattr(script, "parts", lambda args: parts)
    monkeypatch.setattr(sys, "argv", ["run", str(tmp_path / "out"), "--size", "tiny"])
    assert script.main() == 1
    summary = (tmp_path / "out" / "summary.md").read_text()
    assert "## Broken: ended with code 1 after" in summary and "no such thing" in summary
    assert "## Endless: stopped at its time limit after" in summary
    assert "## Good: done after" in summary and "| a | b |" in summary
    assert "endless: stopped at its time limit" in capsys.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_it_is_skipped(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["run", str(tmp_path / "out")])
    assert script.main() == 77
    assert not (tmp_path / "out").exists()


def test_overlapping_spans_are_counted_once() -> None:
    assert covered([(5, 6), (0, 2), (1, 3), (1, 2)]) == 4
    assert covered([]) == 0


@pytest.mark.slow
def test_the_script_works_at_a_size_for_a_cpu(tmp_path: Path) -> None:
    parts = ["step", "profile", "training"]  # the others are commands, or compile for minutes
    command = [str(SCRIPT), str(tmp_path), "--size", "tiny", "--only", *parts]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    summary = (tmp_path / "summary.md").read_text()
    for words in ("share of the matrix rate", "the device is idle for", "its step alone"):
        assert words in summary
