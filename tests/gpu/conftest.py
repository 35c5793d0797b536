"""A CUDA device, where there is one, and a pretended one for every machine."""

import contextlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import torch

from bench.core import device
from tests.gpu.pretended import DEVICE, Watch


@pytest.fixture
def gpu() -> torch.device:
    """The device that every command would choose, which must be a GPU."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here; run `pytest -m gpu` on a machine with one")
    return device.choose("auto")


@pytest.fixture
def deterministic(gpu: torch.device) -> Iterator[None]:
    """Kernels that add in a fixed order, where torch has them; the others only warn."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """A watch for a test in which `DEVICE` does what a GPU does; autocast does nothing there."""
    real, optimizers = torch.autocast, import_module("torch.optim.optimizer")
    fused = "_get_fused_kernels_supported_devices"

    def autocast(kind: str, *rest: Any, **named: Any) -> Any:
        return contextlib.nullcontext() if kind == DEVICE.type else real(kind, *rest, **named)

    monkeypatch.setattr(torch, "autocast", autocast)
    monkeypatch.setattr(optimizers, fused, lambda: [DEVICE.type, "cpu"])
    return Watch()
