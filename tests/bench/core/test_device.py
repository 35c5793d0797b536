import pytest
import torch

from bench.core import device

CPU = torch.device("cpu")


def test_a_cpu_has_units_only_with_amx_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    for answer in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda a=answer: a)
        assert device.has_bf16_units(CPU) is answer


def test_the_cpu_can_be_asked_for() -> None:
    assert device.choose("cpu") == CPU


def test_denormals_are_flushed() -> None:
    device.tune_cpu()
    assert (torch.tensor([1e-39]) * 1.0).item() == 0.0
