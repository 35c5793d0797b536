"""The coarse and the refinement network of Yu et al. (2018), and their critics."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.contextual_attention import table
from baselines.contextual_attention.attention import contextual_attention
from bench.config import Model
from bench.networks.holes import crop_at_hole
from bench.networks.layer_table import Conv
from bench.networks.layers import crop_to, pad_to_multiple
from bench.networks.vjp import vjp

STRIDE = 8
"""Product of the networks' strides; two layers and the attention each halve the sides."""
CRITICS_STRIDE = 32
"""Number that must divide the size: the local critic has four strides of 2, on half of the side."""


class TwoStages(nn.Module):
    """A coarse network, then a refinement with contextual attention; both use ELU and no norms.

    `forward(image, mask)` takes [B,3,H,W] in [0,1] and [B,1,H,W], 1 = known, of any size. It
    returns the refined picture [B,3,H,W] in [0,1]. Memory grows with the square of the number of
    pixels.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        stages = table.stages(model)
        self.coarse = _to_picture(stages.coarse)
        self.convolution = _elu(stages.convolution)
        *start, last = stages.matching
        self.matching = nn.Sequential(_elu(start), _conv(last), nn.ReLU())
        self.attended = _elu(stages.attended)
        self.merged = _to_picture(stages.merged)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the refined picture [B,3,H,W] in [0,1]."""
        return self.both(image, mask)[1]

    def both(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the coarse and the refined picture, each [B,3,H,W] in [0,1]."""
        size = image.shape[-2:]
        image, mask = (pad_to_multiple(x, STRIDE) for x in (image, mask))
        # The networks work with colours in [-1, 1].
        known = (2 * image - 1) * mask
        coarse = self.coarse(_inputs(known, mask)).clamp(-1, 1)
        fine = self._refine(torch.where(mask > 0.5, known, coarse), mask).clamp(-1, 1)
        return crop_to((coarse + 1) / 2, size), crop_to((fine + 1) / 2, size)

    def _refine(self, pasted: Tensor, mask: Tensor) -> Tensor:
        inputs = _inputs(pasted, mask)
        features = self.matching(inputs)
        rebuilt = contextual_attention(features, _at(features, mask))
        branches = [self.convolution(inputs), self.attended(rebuilt)]
        picture: Tensor = self.merged(torch.cat(branches, 1))
        return picture


class Critics(nn.Module):
    """The two critics, of the whole image and of a square of half its side around the hole.

    `forward(image, mask)` takes [B,3,S,S] and [B,1,S,S] and returns scores [2,B], those of the
    whole image first.
    """

    def __init__(self, size: int, width: int = 64) -> None:
        super().__init__()
        self.side = size // 2
        self.whole = _critic([width, 2 * width, 4 * width, 4 * width], size)
        self.local = _critic([width, 2 * width, 4 * width, 8 * width], self.side)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the scores [2,B]."""
        part = crop_at_hole(image, mask, self.side)
        return torch.cat([self.whole(image), self.local(part)], 1).T

    def slopes(self, image: Tensor, mask: Tensor) -> list[Tensor]:
        """Return the gradient of each critic's scores by the pixels of the hole; others are 0.

        That of the whole image is [B,3,S,S], that of the square [B,3,S/2,S/2].
        """
        part, known = (crop_at_hole(x, mask, self.side) for x in (image, mask))
        found = []
        for critic, x, m in ((self.whole, image, mask), (self.local, part, known)):
            scores, product = vjp(critic, x)
            found.append(product(torch.ones_like(scores)) * (1 - m))
        return found


def _inputs(picture: Tensor, mask: Tensor) -> Tensor:
    """Put together the five channels that a network gets: colours, ones and the hole."""
    return torch.cat([picture, torch.ones_like(mask), 1 - mask], 1)


def _at(features: Tensor, mask: Tensor) -> Tensor:
    """Shrink the mask to the sides of the features; a place is known where all its pixels are."""
    # The least value in a window is minus the greatest of the negatives.
    rate = mask.shape[-1] // features.shape[-1]
    return -F.max_pool2d(-mask, rate)


def _conv(row: Conv) -> nn.Module:
    conv = nn.Conv2d(row.inputs, row.outputs, row.kernel, row.stride, row.padding, row.dilation)
    return nn.Sequential(nn.Upsample(scale_factor=2), conv) if row.up else conv


def _elu(table: Sequence[Conv]) -> nn.Sequential:
    layers = itertools.chain.from_iterable((_conv(row), nn.ELU()) for row in table)
    return nn.Sequential(*layers)


def _to_picture(table: Sequence[Conv]) -> nn.Sequential:
    *inner, last = table
    return nn.Sequential(_elu(inner), _conv(last))


def _critic(channels: Sequence[int], size: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise([3, *channels]):
        layers += [nn.Conv2d(inputs, outputs, 5, 2, 2), nn.LeakyReLU(0.2)]
    left = size // 2 ** len(channels)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * left**2, 1))
