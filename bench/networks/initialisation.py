"""Initial weights, drawn from streams of their own."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.core.seeds import torch_rng

LAYERS_WITH_BIAS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


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


def initialise(
    network: nn.Module,
    seed: int,
    spread: Callable[[Tensor], float] = gan,
    purpose: str = "weights",
) -> None:
    """Draw filters and matrices from N(0, spread), each from a stream named after it; biases are 0.

    Parameters that two variants share by name and shape therefore start equal, and nothing comes
    from the global state. Norms and attention scalars keep the values their modules gave them.
    """
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.dim() > 1:
                stream = torch_rng(seed, purpose, name)
                parameter.copy_(torch.randn(parameter.shape, generator=stream) * spread(parameter))
        for module in network.modules():
            if isinstance(module, LAYERS_WITH_BIAS) and module.bias is not None:
                module.bias.zero_()
