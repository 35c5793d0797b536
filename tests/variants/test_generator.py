"""The generator against the paper's layer table, written a second time in `layer_table`."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bench.config import Model
from bench.registry import find
from tests.variants import layer_table
from tests.variants.layer_table import Branch, Function, Network, Norm
from tests.variants.networks import SMALL, SPECS, blobs, lively, photos
from variants.lbam import FULL, Spec
from variants.lbam.generator import Generator

TABLE_2 = ["full", "unlearned", "forward", "no-gan", "sigmoid", "lrelu", "relu", "3x3"]


def learnable(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


STAND_INS: dict[str, Function] = {
    "inverse": layer_table.one_over,
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "relu": lambda x: torch.where(x > 0, x, 0.0),
    "lrelu": lambda x: torch.where(x > 0, x, 0.2 * x),
}


def by_layer_table(spec: Spec, network: Generator, image: Tensor, mask: Tensor) -> Tensor:
    """The independent implementation's output for the network's tensors."""
    state = network.state_dict()
    depth = len([name for name in state if name.startswith("encoder.")])

    def branch(prefix: str, levels: int) -> Branch:
        filters, functions = [], []
        for i in range(levels):
            if spec.learned_masks:
                filters.append(state[f"{prefix}.levels.{i}.weight"])
            else:  # equation 1; a branch of equal channels needs only one
                filters.append(torch.full((1, 1, 4, 4), 1 / 16, dtype=image.dtype))
            if spec.attention == "gaussian":
                scalars = f"{prefix}.levels.{i}.attention"
                functions.append(
                    layer_table.gaussian(
                        state[f"{scalars}.a"],
                        state[f"{scalars}.mu"],
                        state[f"{scalars}.gamma_left"],
                        state[f"{scalars}.gamma_right"],
                        limits=spec.limits,
                    )
                )
            else:
                functions.append(STAND_INS[str(spec.attention)])
        return Branch(filters, functions)

    def norm(prefix: str) -> Norm | None:
        if not spec.batch_norm:
            return None
        parts = ("weight", "bias", "running_mean", "running_var")
        return Norm(*(state[f"{prefix}.{part}"] for part in parts))

    return layer_table.fill(
        Network(
            encoder=[state[f"encoder.{i}.weight"] for i in range(depth)],
            decoder=[state[f"decoder.{i}.weight"] for i in range(depth)],
            forward=branch("mask_branch", depth),
            reverse=branch("reverse_branch", depth - 1) if spec.reverse else None,
            encoder_norms=[norm(f"encoder_norms.{i}") for i in range(1, depth)],
            decoder_norms=[norm(f"decoder_norms.{i}") for i in range(depth - 1)],
        ),
        image,
        mask,
        update=layer_table.power if spec.mask_update == "power" else layer_table.covered,
        mask_channels=3 if spec.learned_masks else 1,
    )


# Parameter counts


@pytest.mark.parametrize(
    ("spec", "count"),
    [(FULL, 68_317_748), (replace(FULL, batch_norm=False), 68_304_948)],
    ids=["full", "without batch norm"],
)
def test_size_of_the_papers_model(spec: Spec, count: int) -> None:
    assert spec.parameters(Model()) == count
    with torch.device("meta"):
        assert learnable(Generator(Model(), spec)) == count


@pytest.mark.parametrize("name", [*TABLE_2, "released", "released-recipe"])
def test_closed_form_count_is_that_of_the_built_network(name: str) -> None:
    method = find(name)
    for width, depth in [(4, 2), (8, 3), (6, 4), (16, 6), (32, 7), (5, 9)]:
        model = Model(width=width, depth=depth)
        with torch.device("meta"):
            assert method.parameters(model) == learnable(method.build(model)), model


# The whole network


@pytest.mark.parametrize("depth", [2, 4, 5])
@pytest.mark.parametrize("name", sorted(SPECS))
def test_output_is_that_of_the_layer_table(name: str, depth: int) -> None:
    spec = SPECS[name]
    network = lively(spec, Model(width=4, depth=depth)).double()
    image, mask = photos(64, 96).double(), blobs(64, 96).double()
    with torch.no_grad():
        found, expected = network(image, mask), by_layer_table(spec, network, image, mask)
    assert expected.std() > 0.02, "a constant output would show nothing"
    assert torch.allclose(found, expected, rtol=0, atol=1e-9)


def test_single_precision_agrees_with_the_layer_table() -> None:
    network = lively(FULL, SMALL)
    image, mask = photos(64, 64), blobs(64, 64)
    with torch.no_grad():
        found, expected = network(image, mask), by_layer_table(FULL, network, image, mask)
    assert torch.allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("depth", [4, 7])
@pytest.mark.parametrize("size", [(16, 16), (17, 31), (50, 70), (129, 200)])
def test_any_size_gives_that_size_in_the_unit_range(size: tuple[int, int], depth: int) -> None:
    network = lively(FULL, Model(width=4, depth=depth))
    with torch.no_grad():
        output = network(photos(*size), blobs(*size))
    assert output.shape == (2, 3, *size)
    assert output.isfinite().all()
    assert output.min() >= 0
    assert output.max() <= 1


def test_divisible_sizes_are_not_padded() -> None:
    network = lively(FULL, SMALL)
    image, mask = photos(32, 48), blobs(32, 48)
    with torch.no_grad():
        direct = network.from_maps(image, mask, network.attention_maps(mask))
        assert torch.equal(network(image, mask), direct)


def test_other_sizes_are_padded_by_their_edges_and_cropped_back() -> None:
    network = lively(FULL, SMALL)
    image, mask = photos(21, 35), blobs(21, 35)
    padded = [
        torch.cat([wide, wide[..., -1:, :].expand(-1, -1, 11, -1)], 2)
        for x in (image, mask)
        for wide in [torch.cat([x, x[..., -1:].expand(-1, -1, -1, 13)], 3)]
    ]
    assert padded[0].shape == (2, 3, 32, 48)
    with torch.no_grad():
        assert torch.equal(network(image, mask), network(*padded)[..., :21, :35])


@pytest.mark.parametrize("name", sorted(SPECS))
def test_pixels_inside_the_hole_are_not_looked_at(name: str) -> None:
    network = lively(SPECS[name], SMALL)
    image, other, mask = photos(32, 48), photos(32, 48, seed=2), blobs(32, 48)
    with torch.no_grad():
        first = network(image, mask)
        changed = network(torch.where(mask > 0.5, image, other), mask)
        control = network(torch.where(mask > 0.5, other, image), mask)
    assert torch.equal(first, changed)
    assert not torch.equal(first, control)


@pytest.mark.parametrize("hole", [0.0, 1.0], ids=["all hole", "no hole"])
@pytest.mark.parametrize("name", sorted(SPECS))
def test_extreme_masks_give_finite_output_and_gradients(name: str, hole: float) -> None:
    network = lively(SPECS[name], SMALL).train()
    network(photos(32, 32), torch.full((2, 1, 32, 32), hole)).mean().backward()
    for parameter, value in network.named_parameters():
        assert value.grad is not None, parameter
        assert value.grad.isfinite().all(), parameter


def test_images_of_a_batch_do_not_mix_in_evaluation() -> None:
    network = lively(FULL, SMALL)
    image, mask = photos(32, 32, batch=3), blobs(32, 32, batch=3)
    with torch.no_grad():
        together, alone = network(image, mask), network(image[1:2], mask[1:2])
    assert torch.allclose(together[1:2], alone, atol=1e-6)
