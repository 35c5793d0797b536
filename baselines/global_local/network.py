"""The completion network and the discriminators of Iizuka et al. (2017)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from baselines.global_local import table
from bench.config import Model
from bench.networks.holes import crop_at_hole
from bench.networks.layer_table import Conv
from bench.networks.layers import crop_to, pad_to_multiple

STRIDE = 4
"""Product of the completion network's strides; two layers halve the sides."""
DISCRIMINATOR_STRIDE = 64
"""Product of the strides: six of 2 on the whole image, and five on the half of its side."""


class Completion(nn.Module):
    """The completion network, with 6,072,131 parameters at width 64.

    `forward(image, mask)` takes [B,3,H,W] in [0,1] and [B,1,H,W], 1 = known, of any size. It
    returns [B,3,H,W] in [0,1]. Holes are first filled with the mean colour of the training images,
    which is learned with the weights and saved with them.
    """

    mean: Tensor
    images: Tensor

    def __init__(self, model: Model) -> None:
        super().__init__()
        # The last convolution has no norm and no ReLU: a sigmoid brings the output into (0, 1).
        *inner, last = (_layer(row) for row in table.generator(model))
        self.layers = nn.Sequential(*itertools.chain.from_iterable(inner), *last[:1], nn.Sigmoid())
        self.register_buffer("mean", torch.full((3,), 0.5))
        self.register_buffer("images", torch.zeros(()))

    @torch.no_grad()
    def see(self, mean: Tensor, images: int) -> None:
        """Merge so many further training images, of the mean colour [3], into the training mean."""
        self.images += images
        self.mean += (mean - self.mean) * (images / self.images)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the raw output [B,3,H,W] in [0,1]."""
        size = image.shape[-2:]
        image, mask = (pad_to_multiple(x, STRIDE) for x in (image, mask))
        started = torch.where(mask > 0.5, image, self.mean.to(image.dtype)[:, None, None])
        output: Tensor = self.layers(torch.cat([started, mask], 1))
        return crop_to(output, size)


class Discriminators(nn.Module):
    """Both discriminators, with 45,063,681 parameters at size 256, width 64.

    `forward(image, mask)` takes [B,3,S,S] and [B,1,S,S] and returns the logits [B] of being real.
    One looks at the whole image, the other at a square of half its side, centred on the hole's
    bounding box.
    """

    def __init__(self, size: int, width: int = 64) -> None:
        super().__init__()
        channels = [width * 2 ** min(level, 3) for level in range(5)]
        left = size // DISCRIMINATOR_STRIDE
        self.side = size // 2
        self.local = _column(channels, left, 16 * width)
        self.whole = _column([*channels, channels[-1]], left, 16 * width)
        self.last = nn.Linear(32 * width, 1)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the logits [B] of being real."""
        part = crop_at_hole(image, mask, self.side)
        logits: Tensor = self.last(torch.cat([self.local(part), self.whole(image)], 1))
        return logits[:, 0]


def _layer(row: Conv) -> list[nn.Module]:
    if row.up:
        conv: nn.Module = nn.ConvTranspose2d(row.inputs, row.outputs, row.kernel, row.stride, 1)
    else:
        conv = nn.Conv2d(row.inputs, row.outputs, row.kernel, row.stride, row.padding, row.dilation)
    return [conv, nn.BatchNorm2d(row.outputs), nn.ReLU()]


def _column(channels: Sequence[int], left: int, features: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise([3, *channels]):
        layers += [nn.Conv2d(inputs, outputs, 5, 2, 2), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(channels[-1] * left**2, features), nn.ReLU()
    )
