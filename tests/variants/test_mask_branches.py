"""The forward and the reverse branch of masks: what they see, update and start from."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.networks.initialisation import initialise
from bench.networks.layers import channels_last, to_device
from bench.presets import preset
from tests.variants.networks import SMALL, SPECS, blobs, lively, photos
from variants.lbam import FULL
from variants.lbam.generator import Generator, MaskLevel


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
