"""Outputs that are given and not computed: what the evaluator takes in the place of a network.

This is a module of its own, so that no measurement depends on how such outputs are read.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class Given(nn.Module):
    """Outputs in the place of a network: the evaluator asks for pairs by their numbers."""

    def of(self, pairs: Sequence[int]) -> Tensor:
        """Return the outputs [B,3,S,S] in [0,1] of some pairs."""
        raise NotImplementedError
