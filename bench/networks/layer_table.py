"""Layer tables: what a network is built from, and its parameters are counted by without torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Conv:
    """One convolution of a layer table, as published tables list them."""

    kernel: int
    inputs: int
    outputs: int
    stride: int = 1
    dilation: int = 1
    bias: bool = True
    norm: bool = False
    """Whether batch norm follows."""
    up: bool = False
    """Whether it doubles the sides (how, is the network's affair)."""

    @property
    def padding(self) -> int:
        """What keeps the sides at stride 1."""
        return self.dilation * (self.kernel - 1) // 2

    @property
    def parameters(self) -> int:
        """Learnable parameters, batch norm's included."""
        weights = self.kernel**2 * self.inputs * self.outputs
        return weights + self.outputs * (self.bias + 2 * self.norm)


def count(table: Iterable[Conv]) -> int:
    """Learnable parameters of all layers."""
    return sum(layer.parameters for layer in table)
