"""For the tests that need a CUDA device; elsewhere they are skipped."""

from collections.abc import Iterator

import pytest
import torch

from bench.core import device


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
