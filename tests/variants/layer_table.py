"""The generator written a second time, from the paper's layer table and equations 1 to 13 alone.

It shares no code with `variants`: plain lists of filters, masks of three equal channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Function = Callable[[Tensor], Tensor]
INFINITY = float("inf")
RANGES = {
    "bell": ((-INFINITY, INFINITY), (-INFINITY, INFINITY), (0.0, INFINITY), (0.0, INFINITY)),
    "released": ((1.01, 6.0), (0.1, 3.0), (0.5, 2.0), (0.5, 2.0)),
}


class Norm(NamedTuple):
    weight: Tensor
    bias: Tensor
    mean: Tensor
    var: Tensor


class Branch(NamedTuple):
    """Filters k_M and the function in place of gA of each level, outermost first."""

    filters: list[Tensor]
    attention: list[Function]


class Network(NamedTuple):
    encoder: list[Tensor]
    decoder: list[Tensor]
    forward: Branch
    reverse: Branch | None
    encoder_norms: list[Norm | None]
    """Batch norms of layers 2, 3, ...; None: no batch norm there."""
    decoder_norms: list[Norm | None]


def gaussian(a: Tensor, mu: Tensor, left: Tensor, right: Tensor, *, limits: str) -> Function:
    """Equation 9, with bells that stay bells, or with the released code's clamps."""
    a, mu, left, right = (
        value.reshape(()).clamp(*ends)
        for value, ends in zip((a, mu, left, right), RANGES[limits], strict=True)
    )

    def attention(x: Tensor) -> Tensor:
        below = a * torch.exp(-left * (x - mu) ** 2)
        above = 1 + (a - 1) * torch.exp(-right * (x - mu) ** 2)
        return torch.where(x < mu, below, above)

    return attention


def power(x: Tensor) -> Tensor:
    """Equation 8."""
    return x.relu() ** 0.8


def covered(x: Tensor) -> Tensor:
    """Equation 5."""
    return torch.where(x > 0, torch.ones_like(x), torch.zeros_like(x))


def one_over(x: Tensor) -> Tensor:
    """Equation 4."""
    return torch.where(x > 0, 1 / torch.where(x > 0, x, torch.ones_like(x)), torch.zeros_like(x))


def run_branch(branch: Branch, mask: Tensor, update: Function) -> tuple[list[Tensor], list[Tensor]]:
    """(maps, updated masks) of each level."""
    maps, masks = [], []
    for filters, attention in zip(branch.filters, branch.attention, strict=True):
        convolved = F.conv2d(mask, filters, stride=2, padding=1)
        maps.append(attention(convolved))
        mask = update(convolved)
        masks.append(mask)
    return maps, masks


def normalise(x: Tensor, norm: Norm | None) -> Tensor:
    if norm is None:
        return x
    return F.batch_norm(x, norm.mean, norm.var, norm.weight, norm.bias, training=False, eps=1e-5)


def fill(
    network: Network,
    image: Tensor,
    mask: Tensor,
    update: Function = power,
    mask_channels: int = 3,
) -> Tensor:
    """Output in [0,1] of the layer table for sides that 2^depth divides."""
    depth = len(network.encoder)
    known = mask.expand(-1, mask_channels, -1, -1)
    forward, _ = run_branch(network.forward, known, update)
    x = torch.cat([image * mask, mask], dim=1)
    features = []
    for layer in range(depth):
        x = F.conv2d(x, network.encoder[layer], stride=2, padding=1)
        features.append(x)
        x = x * forward[layer]
        if layer > 0:
            x = normalise(x, network.encoder_norms[layer - 1])
        x = F.leaky_relu(x, 0.2)
    if network.reverse is None:
        reverse = [torch.ones_like(f[:1, :1]) for f in features]
    else:
        reverse, _ = run_branch(network.reverse, 1 - known, update)
    for layer in range(depth - 1):
        level = depth - 2 - layer
        x = F.conv_transpose2d(x, network.decoder[layer], stride=2, padding=1)
        own_map = reverse[level].expand_as(x)
        encoder_map = forward[level].expand_as(features[level])
        joined = torch.cat([features[level], x], dim=1)
        x = joined * torch.cat([encoder_map, own_map.expand(len(joined), -1, -1, -1)], dim=1)
        x = F.leaky_relu(normalise(x, network.decoder_norms[layer]), 0.2)
    x = F.conv_transpose2d(x, network.decoder[-1], stride=2, padding=1)
    return (torch.tanh(x) + 1) / 2
