"""Initial weights, each drawn from its own random stream."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.core.seeds import torch_rng

LAYERS_WITH_BIAS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
"""Kinds of layers whose biases start at 0; those of norms keep their own start."""


def gan(parameter: Tensor) -> float:
    """Return the standard deviation 0.02, usual for GANs with norms (Radford et al. 2016)."""
    return 0.02


def he(parameter: Tensor) -> float:
    """Return the standard deviation sqrt(2 / inputs) (He et al. 2015).

    It keeps the scale of activations through ReLU.
    """
    return math.sqrt(2 / parameter[0].numel())


def glorot(parameter: Tensor) -> float:
    """Return the standard deviation sqrt(2 / (inputs + outputs)) (Glorot and Bengio 2010)."""
    inputs = parameter[0].numel()
    outputs = parameter.numel() // parameter.shape[1]
    return math.sqrt(2 / (inputs + outputs))


def initialise(
    network: nn.Module,
    seed: int,
    spread: Callable[[Tensor], float] = gan,
    purpose: str = "weights",
) -> None:
    """Draw filters and matrices from a normal distribution; biases become 0.

    The mean is 0, and `spread` gives the standard deviation for each parameter. Each parameter has
    a random stream named after it. Parameters that two variants share by name and shape therefore
    start equal, and nothing comes from the global state. Norms and attention scalars keep the
    values that their modules gave them.
    """
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.dim() > 1:
                stream = torch_rng(seed, purpose, name)
                parameter.copy_(torch.randn(parameter.shape, generator=stream) * spread(parameter))
        for module in network.modules():
            if isinstance(module, LAYERS_WITH_BIAS) and module.bias is not None:
                module.bias.zero_()
