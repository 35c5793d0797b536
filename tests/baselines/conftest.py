"""For the tests of the baselines, whose networks are tiny."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from bench.config import override
from bench.core.references import resolve
from bench.presets import preset
from bench.registry import TrainedNetwork, find

TINY = {"width": 4, "depth": 4, "critic_width": 4, "size": 64, "resize": 64, "batch_size": 2}
MakeLearner = Callable[..., Any]


@pytest.fixture(autouse=True, scope="module")
def quietly(one_thread: None) -> None:
    """On one thread."""


@pytest.fixture
def learner() -> MakeLearner:
    """The learner of a method at a tiny size: `learner(name, steps, lr=...)`."""

    def make(name: str, steps: int = 100, **changes: Any) -> Any:
        AcceleratorState._reset_state(True)
        config = override(preset("quick"), TINY | changes)
        method = find(name, "baseline")
        assert isinstance(method, TrainedNetwork)
        network = method.build(config.model)
        return resolve(method.learner)(network, config, Accelerator(cpu=True), steps)

    return make


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Two smooth images [2,3,64,64] and masks whose holes differ."""
    coarse = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    image = nn.functional.interpolate(coarse, size=(64, 64), mode="bilinear")
    mask = torch.ones(2, 1, 64, 64)
    mask[0, :, 16:48, 10:40] = 0
    mask[1, :, 4:20, 30:60] = 0
    return image, mask


def weights(network: nn.Module) -> dict[str, Tensor]:
    """Copies of a network's parameters."""
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def moved(before: dict[str, Tensor], network: nn.Module) -> set[str]:
    """Names of the parameters that are no longer what they were."""
    after = weights(network)
    return {name for name in before if not torch.equal(before[name], after[name])}
