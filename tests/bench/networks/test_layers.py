"""Pieces that networks share."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bench.networks.holes import crop_at_hole
from bench.networks.initialisation import gan, glorot, he, initialise
from bench.networks.layers import channels_last


def positions(height: int, width: int) -> Tensor:
    """[1,2,H,W]: each pixel holds its row and column."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns])[None].float()


@pytest.mark.parametrize(
    ("hole", "corner"),
    [
        ((slice(20, 30), slice(40, 44)), (17, 34)),  # rows 20-29: 17..32 has its middle at 25
        ((slice(0, 3), slice(61, 64)), (0, 48)),  # cut at the border
        ((slice(0, 64), slice(0, 64)), (24, 24)),
        ((slice(10, 11), slice(12, 13)), (2, 4)),
        ((slice(0, 0), slice(0, 0)), (24, 24)),  # no hole: the middle
    ],
)
def test_square_is_centred_on_the_holes_box(
    hole: tuple[slice, slice], corner: tuple[int, int]
) -> None:
    mask = torch.ones(1, 1, 64, 64)
    mask[0, 0][hole] = 0
    square = crop_at_hole(positions(64, 64), mask, 16)
    assert square.shape == (1, 2, 16, 16)
    assert square[0, :, 0, 0].tolist() == list(corner)
    assert square[0, :, -1, -1].tolist() == [corner[0] + 15, corner[1] + 15]


def test_box_holds_every_part_of_a_scattered_hole_and_each_image_its_own() -> None:
    mask = torch.ones(2, 1, 64, 64)
    mask[0, 0, 10, 50] = mask[0, 0, 30, 20] = 0  # box 10-30 x 20-50
    mask[1, 0, 40, 8] = 0
    squares = crop_at_hole(positions(64, 64).expand(2, -1, -1, -1), mask, 8)
    assert squares[:, :, 0, 0].tolist() == [[16, 31], [36, 4]]


def test_gradient_reaches_the_square_alone() -> None:
    image = torch.zeros(1, 1, 32, 32, requires_grad=True)
    mask = torch.ones(1, 1, 32, 32)
    mask[..., 4:8, 4:8] = 0
    crop_at_hole(image, mask, 8).sum().backward()
    assert image.grad is not None
    assert image.grad.sum() == 64 and image.grad[..., 2:10, 2:10].sum() == 64


@pytest.mark.parametrize(
    ("spread", "expected"),
    [
        (gan, (0.02, 0.02)),
        (he, (math.sqrt(2 / (64 * 9)), math.sqrt(2 / 512))),
        (glorot, (math.sqrt(2 / (64 * 9 + 128 * 9)), math.sqrt(2 / (512 + 400)))),
    ],
)
def test_filters_are_drawn_with_the_spread_of_their_size(
    spread: Callable[[Tensor], float], expected: tuple[float, float]
) -> None:
    network = nn.Sequential(nn.Conv2d(64, 128, 3), nn.Linear(512, 400))
    initialise(network, 0, spread)
    for layer, value in zip(network, expected, strict=True):
        assert layer.weight.std().item() == pytest.approx(value, rel=0.02)
        assert not layer.bias.any()


def test_a_mask_of_one_channel_carries_the_layout_on() -> None:
    mask = channels_last(torch.rand(2, 1, 8, 8))
    features = nn.functional.conv2d(mask, torch.rand(4, 1, 3, 3))
    assert features.stride()[1] == 1  # channels are next to each other
