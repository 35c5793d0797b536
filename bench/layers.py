"""Small pieces that networks of every method share."""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.seeds import torch_rng

Network = TypeVar("Network", bound=nn.Module)
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


def initialise(network: nn.Module, seed: int, std: float = 0.02) -> None:
    """Draw filters and matrices from N(0, std), each from a stream named after it; biases are 0.

    Parameters that two variants share by name and shape therefore start equal, and nothing comes
    from the global state. Norms and attention scalars keep the values their modules gave them.
    """
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.dim() > 1:
                stream = torch_rng(seed, "weights", name)
                parameter.copy_(torch.randn(parameter.shape, generator=stream) * std)
        for module in network.modules():
            if isinstance(module, LAYERS_WITH_BIAS) and module.bias is not None:
                module.bias.zero_()
