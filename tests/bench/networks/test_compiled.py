"""Compiled networks give what their network gives, for batches of any length."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException

from bench import registry
from bench.config import override
from bench.core.errors import UserError
from bench.evaluation.fill import fill
from bench.networks.compiled import Compiled
from bench.networks.initialisation import initialise
from bench.presets import preset


class Inverse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return (self.one - image) * mask


def test_the_last_batch_is_padded_so_that_nothing_is_compiled_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = []

    def uncompiled(network: nn.Module, **_: Any) -> nn.Module:
        network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
        return network

    monkeypatch.setattr(torch, "compile", uncompiled)
    network = Inverse()
    compiled = Compiled(network, 4)
    for length in (4, 3, 1):
        image, mask = torch.rand(length, 3, 8, 8), torch.ones(length, 1, 8, 8)
        assert torch.equal(compiled(image, mask), network(image, mask))
    assert sizes == [4, 4, 4]


def test_without_a_compiler_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"--compile on: there is no C\+\+ compiler"):
        Compiled(Inverse(), 4)


def test_what_cannot_be_compiled_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        def call(*_: Any) -> Tensor:
            raise TorchDynamoException("no such header\nand much more")

        return call

    monkeypatch.setattr(torch, "compile", failing)
    with pytest.raises(UserError, match=r"cannot be compiled here \(no such header\)"):
        Compiled(Inverse(), 1)(torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8))


@pytest.mark.slow
def test_frozen_weights_give_the_same_but_for_rounding() -> None:
    config = override(preset("quick"), {"width": 8, "depth": 3})
    network = registry.reference().build(config.model)
    initialise(network, 0)
    draw = torch.Generator().manual_seed(0)
    image = torch.rand(3, 3, 64, 64, generator=draw)
    mask = (torch.rand(3, 1, 64, 64, generator=draw) > 0.3).float()
    with torch.no_grad():
        network.train()(image, mask)  # so that its norms are no identities
    expected = fill(network, image, mask)
    found = fill(Compiled(network, 4), image, mask)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert network.training  # it is a copy that is frozen
