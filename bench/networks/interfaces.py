"""Optional interfaces that a network may offer in addition to `forward(image, mask)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class TellsScalars(Protocol):
    """A module with learned numbers worth following; the trainer logs them by step."""

    def scalars(self) -> Mapping[str, Tensor]:
        """Return the scalars by name, with the values that the network uses."""


@runtime_checkable
class ReusesMaps(Protocol):
    """A network that can keep the part of its work that depends on the mask alone.

    The part is then used for other images with the same mask; `speed` times this. LBAM is such a
    network: its attention maps come from the mask.
    """

    def attention_maps(self, mask: Tensor) -> Any:
        """Return all that depends on the mask [B,1,H,W] alone."""

    def from_maps(self, image: Tensor, mask: Tensor, maps: Any) -> Tensor:
        """Return the raw output [B,3,H,W] for images, given what `attention_maps` returned."""
