"""The convolution for gradient penalties against torch's own, and against finite differences."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.networks.convolution import PenalisedConv2d
from bench.training.losses import slope_penalty


def both(**settings: Any) -> tuple[nn.Sequential, nn.Sequential]:
    """Return two networks of float64 with equal weights: torch's convolutions, and ours."""
    networks = []
    for kind in (nn.Conv2d, PenalisedConv2d):
        torch.manual_seed(0)
        layers = [kind(3, 4, 4, **settings), nn.Tanh(), kind(4, 2, 3, **settings)]
        networks.append(nn.Sequential(*layers).double())
    return networks[0], networks[1]


def gradients(network: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Return all gradients of a loss with a penalty: by the input and by each weight."""
    network.zero_grad()
    x = x.clone().requires_grad_()
    scores = network(x).square().flatten(1).sum(1)
    points = x.detach().requires_grad_()
    penalty = slope_penalty(network(points).square().flatten(1).sum(1), points)
    (scores.mean() + penalty).backward()
    named = {name: weight.grad for name, weight in network.named_parameters()}
    return named | {"input": x.grad}


@pytest.mark.parametrize(
    "settings",
    [
        {"stride": 2, "padding": 1},
        {"stride": 2, "padding": 2, "bias": False},
        {"stride": (1, 2), "padding": (0, 3), "dilation": (2, 1)},
    ],
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gradients_of_a_penalty_are_those_of_torch(
    settings: dict[str, Any], layout: torch.memory_format
) -> None:
    known, own = (network.to(memory_format=layout) for network in both(**settings))
    x = torch.rand(2, 3, 17, 14, dtype=torch.float64).to(memory_format=layout)
    torch.testing.assert_close(own(x), known(x), rtol=0, atol=0)
    torch.testing.assert_close(gradients(own, x), gradients(known, x))


def test_derivatives_are_those_of_finite_differences() -> None:
    own = both(stride=2, padding=1)[1]
    x = torch.rand(2, 3, 9, 9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(own, x) and torch.autograd.gradgradcheck(own, x)


def test_autocast_reaches_input_and_filters() -> None:
    known, own = (copy.deepcopy(network).float() for network in both(stride=2, padding=1))
    x = torch.rand(2, 3, 16, 16)
    found = {}
    for name, network in (("known", known), ("own", own)):
        with torch.autocast("cpu", torch.bfloat16):
            assert network(x).dtype == torch.bfloat16
            found[name] = gradients(network, x)
        assert all(value.dtype == torch.float32 for value in found[name].values())
    torch.testing.assert_close(found["own"], found["known"], rtol=0.05, atol=0.02)


def test_what_it_cannot_tell_is_an_error() -> None:
    own = both(stride=2, padding=1)[1]
    x = torch.rand(2, 3, 9, 9, dtype=torch.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="to not have been used"):
        torch.autograd.grad(own(x).sum(), [own[0].weight], create_graph=True)
    (slope,) = torch.autograd.grad(own(x).square().sum(), x, create_graph=True)
    (curve,) = torch.autograd.grad(slope.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        curve.sum().backward()
