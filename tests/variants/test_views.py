"""Maps from inside a generator, against hooks on its layers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bench.config import Model
from bench.core.references import resolve
from bench.networks.initialisation import initialise
from bench.registry import find
from variants.lbam.generator import Generator


def seen(name: str, depth: int = 7) -> tuple[Generator, dict[str, Tensor], Tensor, Tensor]:
    method = find(name)
    network = method.build(Model(4, depth)).eval()
    assert isinstance(network, Generator) and method.views is not None
    initialise(network, 0, lambda parameter: 0.1)
    image, mask = torch.rand(2, 3, 128, 128), torch.ones(2, 1, 128, 128)
    mask[:, :, 30:90, 40:100] = 0
    return network, dict(resolve(method.views)(network, image * mask, mask)), image * mask, mask


def test_layers_are_those_of_figures_7_and_8() -> None:
    _, maps, _, _ = seen("full")
    assert {name: tuple(x.shape[1:]) for name, x in maps.items()} == {
        "features encoder 1": (64, 64),
        "features decoder 13": (64, 64),
        "mask encoder 1": (64, 64), "mask encoder 2": (32, 32), "mask encoder 3": (16, 16),
        "mask decoder 13": (64, 64), "mask decoder 12": (32, 32), "mask decoder 11": (16, 16),
    }  # fmt: skip


def test_maps_are_what_the_layers_give() -> None:
    network, maps, image, mask = seen("full")
    given: dict[str, Tensor] = {}

    def keep(name: str, layer: torch.nn.Module) -> None:
        layer.register_forward_hook(lambda module, inputs, output: given.update({name: inputs[0]}))

    keep("decoder 14 is fed", network.decoder[-1])
    keep("encoder 2 is fed", network.encoder[1])
    network(image, mask)
    for name, fed in (("decoder 13", "decoder 14"), ("encoder 1", "encoder 2")):
        expected = given[f"{fed} is fed"].abs().mean(1)
        assert torch.allclose(maps[f"features {name}"], expected, atol=1e-6), name
    reverse = network.reverse_branch
    assert reverse is not None
    _, first = reverse.levels[0](1 - mask)
    _, second = reverse.levels[1](first)
    assert torch.allclose(maps["mask decoder 12"], second.mean(1), atol=1e-6)


@pytest.mark.parametrize("name", ["forward", "unlearned"])
def test_a_variant_shows_what_it_has(name: str) -> None:
    _, maps, _, _ = seen(name)
    assert "mask encoder 3" in maps
    assert ("mask decoder 13" in maps) == (name == "unlearned")


def test_numbers_follow_the_depth() -> None:
    _, maps, _, _ = seen("full", depth=5)
    assert "features decoder 9" in maps and "mask decoder 7" in maps
