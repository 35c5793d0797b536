"""The precision of a training: as told, by the device, or by a trial that is kept."""

import logging
import math
from pathlib import Path

import pytest
import torch

from bench.core import device
from bench.training import precision
from bench.training.precision import GAIN, Precision, choose

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, float]]:
    """Results of the next trials, which are taken from the front."""
    results: list[dict[str, float]] = []
    monkeypatch.setattr(precision, "trial", lambda: results.pop(0))
    return results


@pytest.mark.parametrize("units", [True, False])
def test_what_is_asked_for_needs_no_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    trials: list[dict[str, float]], units: bool,
) -> None:  # fmt: skip
    monkeypatch.setattr(device, "has_bf16_units", lambda where: units)
    with caplog.at_level(logging.WARNING):
        assert choose("fp32", CPU, tmp_path) == "fp32" and not caplog.text
        assert choose("bf16", CPU, tmp_path) == "bf16"
    assert ("may be slow" in caplog.text) is not units
    assert choose("auto", CUDA, tmp_path) == ("bf16" if units else "fp32")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("times", "answer"), [(GAIN + 0.01, "bf16"), (GAIN - 0.01, "fp32"), (0.5, "fp32")]
)
def test_a_cpu_trains_in_bf16_if_that_is_clearly_faster(
    tmp_path: Path, trials: list[dict[str, float]], times: float, answer: Precision
) -> None:
    trials.append({"fp32": times, "bf16": 1.0})
    for _ in range(2):  # the second answer is remembered
        assert choose("auto", CPU, tmp_path) == answer


def test_another_machine_and_a_damaged_memory_have_a_trial_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trials: list[dict[str, float]]
) -> None:
    fast, slow = {"fp32": 2.0, "bf16": 1.0}, {"fp32": 1.0, "bf16": 2.0}
    trials += [fast, slow, slow]
    assert choose("auto", CPU, tmp_path) == "bf16"
    with monkeypatch.context() as other:
        other.setattr(device, "processor", lambda: "another")
        assert choose("auto", CPU, tmp_path) == "fp32"
    assert choose("auto", CPU, tmp_path) == "bf16" and len(trials) == 1
    file = tmp_path / "precision.json"
    file.write_text(file.read_text().replace("2.0", "9.0", 1))
    assert choose("auto", CPU, tmp_path) == "fp32" and not trials


def test_a_trial_times_both_in_turn() -> None:
    found = precision.trial()
    assert found.keys() == {"fp32", "bf16"}
    assert all(0 < seconds < math.inf for seconds in found.values())
    assert precision.trial() is found  # one a process
