"""Bounds of the numbers that an option may have."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """A range of finite numbers: `least` and `most` belong to it, `above` and `below` do not."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def __contains__(self, value: float) -> bool:
        # NaN compares false with everything, and infinities are not between infinities.
        return self.least <= value <= self.most and self.above < value < self.below

    def __str__(self) -> str:
        if math.isfinite(self.least) and math.isfinite(self.most):
            return f"from {self.least} to {self.most}"
        limits = {
            "at least": self.least, "above": self.above,
            "at most": self.most, "below": self.below,
        }  # fmt: skip
        said = [f"{word} {limit}" for word, limit in limits.items() if math.isfinite(limit)]
        return " and ".join(said) or "a finite number"
