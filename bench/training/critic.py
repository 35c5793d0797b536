"""The critic of Table 3, with one column for the known part and one for the hole."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from bench.networks.vjp import vjp

LAYERS = 6
"""Number of layers in each column; each has stride 2."""


class TwoColumnCritic(nn.Module):
    """The critic that scores [B] images [B,3,S,S] in [0,1] under masks [B,1,S,S], 1 = known.

    It has 22,316,417 parameters at size 256, width 64. The last kernel covers what six strides of 2
    leave: 4x4 at 256 pixels, 2x2 at 128. `end` is the paper's `sigmoid`, which saturates easily, or
    `linear`, the usual end of a WGAN critic.
    """

    def __init__(self, size: int, width: int = 64, end: str = "sigmoid") -> None:
        super().__init__()
        channels = [3, *(width * 2 ** min(level, 3) for level in range(LAYERS))]
        self.known = _column(channels)
        self.hole = _column(channels)
        self.last = nn.Conv2d(2 * channels[-1], 1, size // 2**LAYERS)
        self.end = nn.Sigmoid() if end == "sigmoid" else nn.Identity()

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the scores [B]; they lie in (0, 1) with the sigmoid end."""
        columns = [self.known(image * mask), self.hole(image * (1 - mask))]
        scores: Tensor = self.end(self._exact(self.last(torch.cat(columns, 1)))).flatten()
        return scores

    def slopes(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the gradient [B,3,S,S] of the sum of the scores by the image."""
        known, to_known = vjp(self.known, image * mask)
        hole, to_hole = vjp(self.hole, image * (1 - mask))
        last, to_columns = vjp([self.last], torch.cat([known, hole], 1))
        scores, to_last = vjp([self.end], self._exact(last))
        of_known, of_hole = to_columns(to_last(torch.ones_like(scores))).chunk(2, 1)
        return to_known(of_known) * mask + to_hole(of_hole) * (1 - mask)

    def _exact(self, x: Tensor) -> Tensor:
        """Return `x` in the precision of the weights: bf16 has few numbers near a score of 1."""
        return x.to(self.last.weight.dtype)


def _column(channels: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(channels):
        layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1))
        if layers[1:]:  # Table 3 has no norm after the first layer.
            layers.append(nn.BatchNorm2d(outputs))
        layers.append(nn.LeakyReLU(0.2))
    return nn.Sequential(*layers)
