"""The number in validation curves."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from bench.evaluation.validation import mean_psnr


class Pairs:
    """A black image, which an echo restores, and a grey one; the upper half is hole."""

    def __len__(self) -> int:
        return 2

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        images = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
        images[1] = 51
        masks = torch.ones(2, 1, 16, 16, dtype=torch.uint8)
        masks[..., :8, :] = 0
        return images[list(indices)], masks[list(indices)]


class Echo(nn.Module):
    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return image


@pytest.mark.parametrize("batch", [1, 2])
def test_a_perfect_image_is_left_out(batch: int) -> None:
    found = mean_psnr(Echo(), cast(Any, Pairs()), torch.device("cpu"), batch)
    # Half of the pixels are off by 51 of 255: 20 log10(5) + 10 log10(2).
    assert found == pytest.approx(16.98970004)
