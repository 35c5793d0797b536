"""The masks of LBAM's paper: own random shapes mixed with NVIDIA's test masks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.data.masks.buckets import Mask
from bench.data.masks.family import generate
from bench.data.masks.listed import MaskList
from bench.data.masks.nvidia import NvidiaMasks, nvidia
from bench.data.masks.source import MaskRequest, mask_source

SHAPES = 6000
RATIO = (0.2, 0.3)
"""Hole ratios of the shapes."""


@dataclass(frozen=True)
class PaperMasks(MaskList):
    """The paper's 18,000 masks: 6,000 own random shapes and NVIDIA's 12,000 test masks.

    The author of the released code says so (issue 8 of Vious/LBAM_Pytorch); of the shapes, 20 to
    30 % is hole. Training and testing draw from the same list, a known weakness of that protocol:
    test masks may have been met in training.
    """

    nvidia: NvidiaMasks

    @property
    def name(self) -> str:
        """The parts of the mix."""
        return f"{SHAPES} shapes and {self.nvidia.name}"

    @cached_property
    def digest(self) -> str:
        """Hash of what the parts are."""
        return hashlib.sha256(f"{SHAPES}/{self.nvidia.digest}".encode()).hexdigest()[:16]

    @cached_property
    def names(self) -> Sequence[str]:
        """The shapes by number, then the files."""
        return [f"paper shapes/{i}" for i in range(SHAPES)] + list(self.nvidia.names)

    def read(self, index: int, size: int) -> Mask:
        """Return a shape made for that size, or a file resized."""
        if index < SHAPES:
            return generate(("shapes",), size, RATIO, 0, "paper shapes", index)
        return self.nvidia.read(index - SHAPES, size)

    def claimed(self, index: int) -> tuple[float, float] | None:
        """Return the range that a file's number stands for; shapes claim none."""
        return self.nvidia.claimed(index - SHAPES) if index >= SHAPES else None


@mask_source("paper", "the paper's 18,000: 6,000 random shapes and the masks of nvidia")
def paper(request: MaskRequest) -> PaperMasks:
    """Return the mix; NVIDIA's part lies below the data root or at a path."""
    return PaperMasks(nvidia(request))
