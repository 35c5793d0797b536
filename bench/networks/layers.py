"""Memory layout, padding and cropping, which the networks of all methods share."""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def to_device(network: Network, device: torch.device) -> Network:
    """Move a network to a device, in the channels-last layout that makes convolutions fast."""
    return network.to(device).to(memory_format=torch.channels_last)


def channels_last(x: Tensor) -> Tensor:
    """Return [B,C,H,W] in the channels-last layout, which the weights have after `to_device`.

    It is a copy: with one channel both layouts are the same numbers in the same order, and only the
    strides of the copy tell torch to go on in this one. A mask that did not would give attention
    maps that are multiplied with features of another layout, at a quarter of the speed.
    """
    return x.clone(memory_format=torch.channels_last)


def pad_to_multiple(x: Tensor, stride: int) -> Tensor:
    """Pad [B,C,H,W] by repeating its bottom and right edges until `stride` divides both sides."""
    height, width = x.shape[-2:]
    right, bottom = -width % stride, -height % stride
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if right or bottom else x


def crop_to(x: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Crop [B,C,H,W] to the top left part of `size`, (height, width)."""
    return x[..., : size[0], : size[1]]
