"""The generator against the paper's layer table, written a second time in `layer_table`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.config import Model
from bench.networks.initialisation import initialise
from bench.networks.layers import channels_last, to_device
from bench.presets import preset
from bench.registry import find
from tests.variants import layer_table
from tests.variants.layer_table import Branch, Function, Network, Norm
from variants.lbam import FULL, Spec
from variants.lbam.generator import Generator, MaskLevel

TABLE_2 = ["full", "unlearned", "forward", "no-gan", "sigmoid", "lrelu", "relu", "3x3"]
SPECS = {
    "full": FULL,
    "unlearned": replace(FULL, learned_masks=False, attention="inverse", mask_update="binary"),
    "forward": replace(FULL, reverse=False),
    "sigmoid": replace(FULL, attention="sigmoid"),
    "lrelu": replace(FULL, attention="lrelu"),
    "relu": replace(FULL, attention="relu"),
    "3x3": replace(FULL, mask_kernel=3),
    "without norm": replace(FULL, batch_norm=False),
    "released limits": replace(FULL, limits="released"),
}
SMALL = Model(width=4, depth=4)


def learnable(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def blobs(height: int, width: int, batch: int = 2, seed: int = 0) -> Tensor:
    """Masks [B,1,H,W] with large and small holes and lone known pixels inside them."""
    stream = torch.Generator().manual_seed(seed)
    coarse = (torch.rand(batch, 1, -(-height // 8), -(-width // 8), generator=stream) > 0.5).float()
    mask = F.interpolate(coarse, scale_factor=8.0)[..., :height, :width]
    return torch.where(torch.rand(mask.shape, generator=stream) > 0.03, mask, 1 - mask)


def photos(height: int, width: int, batch: int = 2, seed: int = 1) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, height, width, generator=stream)


def lively(spec: Spec, model: Model, seed: int = 0) -> Generator:
    """A generator in eval mode whose activations are neither tiny nor saturated.

    Scalars differ between levels and some lie outside their ranges; batch norm's statistics are not
    the initial ones.
    """
    network = Generator(model, spec).eval()
    stream = torch.Generator().manual_seed(seed)

    def uniform(like: Tensor, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(like.shape, generator=stream)

    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.dim() == 4:
                fan_in = parameter[0].numel()
                if name.startswith("decoder."):  # [in, out, 4, 4], of which stride 2 uses a quarter
                    fan_in = parameter.shape[0] * 4
                noise = torch.randn(parameter.shape, generator=stream)
                parameter.copy_(noise * math.sqrt(2 / fan_in))
            elif parameter.dim() == 1:
                low, high = (0.5, 1.5) if name.endswith("weight") else (-0.3, 0.3)
                parameter.copy_(uniform(parameter, low, high))
            else:
                low, high = {"a": (0.8, 3.0), "mu": (0.0, 1.5)}.get(
                    name.rpartition(".")[2], (0.3, 2.2)
                )
                parameter.copy_(uniform(parameter, low, high))
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(uniform(buffer, -0.3, 0.3))
            elif name.endswith("running_var"):
                buffer.copy_(uniform(buffer, 0.3, 2.0))
    return network


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


# Mask branches


@pytest.mark.parametrize(("kernel", "padding"), [(4, 1), (3, 1), (5, 2)])
def test_one_channel_stands_for_three_equal_ones(kernel: int, padding: int) -> None:
    level = MaskLevel(replace(FULL, mask_kernel=kernel), 3, 5, nn.Identity()).double()
    nn.init.normal_(level.weight, std=0.3)
    mask = blobs(24, 40).double()
    with torch.no_grad():
        convolved, update = level(mask)
        expected = F.conv2d(mask.expand(-1, 3, -1, -1), level.weight, None, 2, padding)
    assert convolved.shape == (2, 5, 12, 20)
    assert torch.allclose(convolved, expected, rtol=0, atol=1e-12)
    assert torch.allclose(update, expected.relu() ** 0.8, rtol=0, atol=1e-9)


def window(y: int, x: int, height: int, width: int) -> list[tuple[int, int, int, int]]:
    """(row, column, filter row, filter column) of what a 4x4 filter sees at stride 2, padding 1."""
    places = (
        (2 * y - 1 + i, 2 * x - 1 + j, i, j) for i, j in itertools.product(range(4), repeat=2)
    )
    return [p for p in places if 0 <= p[0] < height and 0 <= p[1] < width]


def test_first_layer_of_unlearned_is_partial_convolution() -> None:
    network = lively(SPECS["unlearned"], SMALL).double()
    image, mask = photos(16, 16, batch=1).double(), blobs(16, 16, batch=1).double()
    mask[..., :6, 4:12] = 0  # some windows see nothing but the hole
    seen: list[Tensor] = []
    network.encoder_norms[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        network(image, mask)
    filters = network.encoder[0].weight.detach()
    features = torch.cat([image, mask], 1)[0]
    empty = 0
    for y, x in itertools.product(range(8), range(8)):
        inside = [(r, c, i, j) for r, c, i, j in window(y, x, 16, 16) if mask[0, 0, r, c] == 1]
        expected = torch.zeros(4, dtype=torch.float64)
        for r, c, i, j in inside:
            # Equation 2 without bias; what lies outside the image counts as hole.
            expected += filters[:, :, i, j] @ features[:, r, c] / (len(inside) / 16)
        empty += not inside
        assert torch.allclose(seen[0][0, :, y, x], expected, rtol=0, atol=1e-12), (y, x)
    assert empty > 0


def test_masks_of_unlearned_grow_by_dilation() -> None:
    network = lively(SPECS["unlearned"], SMALL)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 3, 5] = mask[..., 40, 61] = mask[..., 20:28, 30:33] = 1
    with torch.no_grad():
        maps = network.attention_maps(mask)
    for start, masks in ((mask, maps.forward_masks), (1 - mask, maps.reverse_masks)):
        before = start[0, 0].tolist()
        for found in masks:
            size = len(before)
            after = [
                [
                    float(any(before[r][c] for r, c, _, _ in window(y, x, size, size)))
                    for x in range(size // 2)
                ]
                for y in range(size // 2)
            ]
            assert found[0, 0].tolist() == after
            before = after
    assert 0 < maps.forward_masks[1].mean() < 1


def test_filters_of_unlearned_are_fixed_at_one_sixteenth() -> None:
    network = Generator(SMALL, SPECS["unlearned"])
    initialise(network, 3)
    assert not [name for name, _ in network.named_parameters() if "branch" in name]
    for name, value in network.state_dict().items():
        if "branch" in name:
            assert torch.equal(value, torch.full_like(value, 1 / 16))


def test_updated_masks_are_gm_of_the_convolved_mask() -> None:
    network = lively(FULL, SMALL)
    mask = blobs(64, 64)
    with torch.no_grad():
        maps = network.attention_maps(mask)
    assert [len(part) for part in maps] == [4, 3, 4, 3]
    state = network.state_dict()
    for prefix, start, masks in (
        ("mask_branch", mask, maps.forward_masks),
        ("reverse_branch", 1 - mask, maps.reverse_masks),
    ):
        x = start.expand(-1, 3, -1, -1)
        for i, found in enumerate(masks):
            x = F.conv2d(x, state[f"{prefix}.levels.{i}.weight"], stride=2, padding=1).relu() ** 0.8
            assert torch.allclose(found, x, atol=1e-4)


# Directions


def shared(source: nn.Module, target: nn.Module) -> None:
    """Give `target` the tensors of `source` that both have."""
    state: Mapping[str, Tensor] = source.state_dict()
    target.load_state_dict({name: state[name] for name in target.state_dict()})


def test_forward_variant_multiplies_the_decoders_half_by_one() -> None:
    full, forward = lively(FULL, SMALL), lively(SPECS["forward"], SMALL, seed=1)
    shared(full, forward)
    image, mask = photos(32, 48), blobs(32, 48)
    with torch.no_grad():
        maps = forward.attention_maps(mask)
        assert maps.reverse == []
        assert maps.reverse_masks == []
        output = forward(image, mask)
        reversed_maps = full.attention_maps(mask)
        ones = reversed_maps._replace(reverse=[torch.ones_like(m) for m in reversed_maps.reverse])
        assert torch.allclose(output, full.from_maps(image, mask, ones), atol=1e-6)
        assert (output - full(image, mask)).abs().max() > 0.01


def test_reverse_branch_starts_from_the_hole() -> None:
    network = lively(FULL, SMALL)
    with torch.no_grad():
        whole = network.attention_maps(torch.ones(1, 1, 32, 32))
        empty = network.attention_maps(torch.zeros(1, 1, 32, 32))
    # Where nothing is missing the reverse branch sees zeros only, and the forward branch where
    # everything is.
    assert all(torch.count_nonzero(m) == 0 for m in whole.reverse_masks)
    assert all(torch.count_nonzero(m) == 0 for m in empty.forward_masks)
    assert torch.count_nonzero(whole.forward_masks[0]) > 0
    assert torch.count_nonzero(empty.reverse_masks[0]) > 0


def test_reverse_branch_can_start_as_released() -> None:
    network = Generator(SMALL, replace(FULL, reverse_start=(1.0, 0.5)))
    state = network.state_dict()
    names = ("a", "mu", "gamma_left", "gamma_right")
    expected = {
        "mask_branch": (4, [1.1, 2.0, 1.0, 1.0]),
        "reverse_branch": (3, [1.1, 1.0, 0.5, 0.5]),
    }
    for branch, (levels, values) in expected.items():
        for i in range(levels):
            found = [state[f"{branch}.levels.{i}.attention.{name}"].item() for name in names]
            assert found == pytest.approx(values)


def test_maps_have_the_layout_of_the_features_that_they_weigh() -> None:
    network = to_device(Generator(preset("quick").model, FULL), torch.device("cpu"))
    maps = network.attention_maps(channels_last(torch.ones(2, 1, 64, 64)))
    for map_ in [*maps.forward[:3], *maps.reverse[:3]]:
        assert map_.is_contiguous(memory_format=torch.channels_last)
