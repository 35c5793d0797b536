"""Layer tables, from which a network is built.

Its parameters are counted from them too, without importing torch.
"""

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
    """Whether the layer doubles the sides; the network decides how."""

    @property
    def padding(self) -> int:
        """Zero padding that keeps the sides at stride 1."""
        return self.dilation * (self.kernel - 1) // 2

    @property
    def parameters(self) -> int:
        """Number of learnable parameters, those of batch norm included."""
        weights = self.kernel**2 * self.inputs * self.outputs
        # Batch norm has a weight and a bias for each output channel.
        return weights + self.outputs * (self.bias + 2 * self.norm)


def count(table: Iterable[Conv]) -> int:
    """Count the learnable parameters of all layers."""
    return sum(layer.parameters for layer in table)
