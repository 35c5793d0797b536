import logging

import pytest
import torch

from bench.core import device

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("wanted", "units", "mode"),
    [
        ("auto", True, "bf16"),
        ("auto", False, "no"),
        ("fp32", True, "no"),
        ("bf16", True, "bf16"),
        ("bf16", False, "bf16"),
    ],
)
def test_precision_follows_the_wish_and_the_units(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    wanted: str,
    units: bool,
    mode: str,
) -> None:
    monkeypatch.setattr(device, "has_bf16_units", lambda where: units)
    with caplog.at_level(logging.WARNING):
        assert device.mixed_precision(wanted, CPU) == mode
    assert ("may be slow" in caplog.text) == (wanted == "bf16" and not units)


def test_a_cpu_has_units_only_with_amx_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    for answer in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda a=answer: a)
        assert device.has_bf16_units(CPU) is answer


def test_the_cpu_can_be_asked_for() -> None:
    assert device.choose("cpu") == CPU


def test_denormals_are_flushed() -> None:
    device.tune_cpu()
    assert (torch.tensor([1e-39]) * 1.0).item() == 0.0
