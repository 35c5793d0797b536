"""Small pieces that networks of every method share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.core.seeds import torch_rng

Network = TypeVar("Network", bound=nn.Module)


@runtime_checkable
class TellsScalars(Protocol):
    """A module with learned numbers worth following: they are logged by step."""

    def scalars(self) -> Mapping[str, Tensor]:
        """Scalars by name, as they are used."""


LAYERS_WITH_BIAS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def place(network: Network, device: torch.device) -> Network:
    """The network on a device, in the channels-last layout that convolutions are fastest in."""
    return network.to(device).to(memory_format=torch.channels_last)


def pad_to_multiple(x: Tensor, stride: int) -> Tensor:
    """[B,C,H,W] with the bottom and right edges repeated until `stride` divides both sides."""
    height, width = x.shape[-2:]
    right, bottom = -width % stride, -height % stride
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if right or bottom else x


def crop_to(x: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """The top left part of that (height, width)."""
    return x[..., : size[0], : size[1]]


def composite(output: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Known pixels of `image` (mask 1), the rest from `output`; [B,3,H,W] and mask [B,1,H,W]."""
    return torch.where(mask > 0.5, image, output)


def crop_at_hole(x: Tensor, mask: Tensor, side: int) -> Tensor:
    """Squares [B,C,side,side] of x [B,C,H,W], centred on the hole's bounding box in each mask.

    Moved as far as it must be to lie inside the image; without a hole it lies in the middle.
    """
    squares = []
    for picture, hole in zip(x, mask[:, 0] < 0.5, strict=True):
        top, left = (
            _centred(hole.any(dim=1 - axis), side, picture.shape[1 + axis]) for axis in (0, 1)
        )
        squares.append(picture[:, top : top + side, left : left + side])
    return torch.stack(squares)


def _centred(hole: Tensor, side: int, length: int) -> int:
    """Start of `side` pixels around the middle of the true stretch of `hole` [length]."""
    places: list[int] = hole.nonzero()[:, 0].tolist() or [0, length - 1]
    start = (places[0] + places[-1] + 1 - side) // 2
    return max(0, min(start, length - side))


def gan(parameter: Tensor) -> float:
    """0.02, the habit of GANs with norms (Radford et al. 2016)."""
    return 0.02


def he(parameter: Tensor) -> float:
    """sqrt(2 / inputs), which keeps the scale of activations through ReLU (He et al. 2015)."""
    return math.sqrt(2 / parameter[0].numel())


def glorot(parameter: Tensor) -> float:
    """sqrt(2 / (inputs + outputs)) (Glorot and Bengio 2010)."""
    inputs = parameter[0].numel()
    outputs = parameter.numel() // parameter.shape[1]
    return math.sqrt(2 / (inputs + outputs))


def initialise(network: nn.Module, seed: int, spread: Callable[[Tensor], float] = gan) -> None:
    """Draw filters and matrices from N(0, spread), each from a stream named after it; biases are 0.

    Parameters that two variants share by name and shape therefore start equal, and nothing comes
    from the global state. Norms and attention scalars keep the values their modules gave them.
    """
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.dim() > 1:
                stream = torch_rng(seed, "weights", name)
                parameter.copy_(torch.randn(parameter.shape, generator=stream) * spread(parameter))
        for module in network.modules():
            if isinstance(module, LAYERS_WITH_BIAS) and module.bias is not None:
                module.bias.zero_()
