"""Vector-Jacobian products and their gradients, against autograd's and finite differences."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.networks.vjp import RULES, vjp

Networks = dict[str, list[nn.Module]]


def networks() -> Networks:
    """Return layers of every kind, and a network of them, which take images [B,3,9,14]."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(3, eps=0.1)  # so large that it cannot be forgotten
    nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
    cases: Networks = {
        "conv": [nn.Conv2d(3, 4, 4, 2, 1)],
        "uneven conv": [nn.Conv2d(3, 2, (3, 5), (1, 3), (0, 4), (2, 1), bias=False)],
        "groups": [nn.Conv2d(3, 6, 3, groups=3)],
        "batch norm": [norm],
        "leaky relu": [nn.LeakyReLU(0.2)],
        "sigmoid": [nn.Sigmoid()],
        "identity": [nn.Identity()],
        "linear": [nn.Flatten(), nn.Linear(3 * 9 * 14, 5)],
        "all": [
            nn.Conv2d(3, 4, 5, 2, 2), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Conv2d(4, 6, 3),
            nn.Flatten(), nn.Linear(6 * 3 * 5, 1), nn.Sigmoid(),
        ],
    }  # fmt: skip
    for layers in cases.values():
        nn.ModuleList(layers).double()
    return cases


def image(layout: torch.memory_format = torch.contiguous_format) -> Tensor:
    stream = torch.Generator().manual_seed(1)
    x = torch.randn(4, 3, 9, 14, generator=stream, dtype=torch.float64).to(memory_format=layout)
    return x.requires_grad_()


def by_autograd(layers: Sequence[nn.Module], x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the output, and the product with a curved function of it."""
    y = nn.Sequential(*layers)(x)
    (found,) = torch.autograd.grad(y, x, y.detach().cos(), create_graph=True)
    return y, found


def by_rules(layers: Sequence[nn.Module], x: Tensor) -> tuple[Tensor, Tensor]:
    y, product = vjp(layers, x)
    return y, product(y.detach().cos())


def test_every_rule_is_tested() -> None:
    assert {type(layer) for layers in networks().values() for layer in layers} == set(RULES)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", networks())
def test_products_and_their_gradients_are_those_of_autograd(
    name: str, layout: torch.memory_format
) -> None:
    results: dict[Any, list[list[Tensor]]] = {}
    for way in (by_autograd, by_rules):
        results[way] = []
        layers, x = nn.ModuleList(networks()[name]).to(memory_format=layout), image(layout)
        y, found = way(list(layers), x)
        # Of a product alone, then with the output beside it, as in a critic's loss.
        inputs = [x, *layers.parameters()]
        for beside in (0, 1):
            loss = found.sin().sum() + beside * y.square().sum()
            grads = torch.autograd.grad(
                loss, inputs, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            results[way].append([y, found, *grads, *layers.buffers()])
    torch.testing.assert_close(results[by_rules], results[by_autograd])


def test_gradients_of_batch_norm_are_those_of_finite_differences() -> None:
    (layer,) = networks()["batch norm"]

    def product(x: Tensor, weight: Tensor, grad: Tensor) -> Tensor:
        del layer.weight
        layer.weight = weight  # not a parameter, whose history is not followed
        found: Tensor = vjp([layer], x)[1](grad)
        return found

    x = torch.randn(2, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    weight, grad = torch.randn(3, dtype=torch.float64), torch.randn_like(x)
    assert torch.autograd.gradcheck(product, (x, weight.requires_grad_(), grad.requires_grad_()))


def test_a_second_gradient_of_batch_norm_is_an_error() -> None:
    x = image()
    found = vjp(networks()["batch norm"], x)[1](torch.ones_like(x))
    (curve,) = torch.autograd.grad(found.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        curve.sum().backward()


def test_autocast_changes_no_more_than_it_does_to_autograd() -> None:
    exact, results = [], {}
    for name, way in (("exact", by_autograd), ("autograd", by_autograd), ("rules", by_rules)):
        layers = nn.ModuleList(copy.deepcopy(networks()["all"])).float()
        x = image().detach().float().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=name != "exact"):
            y, found = way(list(layers), x)
            assert y.dtype == found.dtype if name == "exact" else y.dtype == torch.bfloat16
            loss = found.float().square().sum() + y.float().sum()
        grads = torch.autograd.grad(loss, list(layers.parameters()))
        flat = torch.cat([g.flatten() for g in grads])
        exact = flat if name == "exact" else exact
        results[name] = (flat - exact).norm() / exact.norm()
    assert 0 < results["rules"] < 1.5 * results["autograd"] + 0.01, results


def test_a_layer_without_a_rule_is_named() -> None:
    with pytest.raises(TypeError, match="Tanh has no rule"):
        vjp([nn.Tanh()], image())
