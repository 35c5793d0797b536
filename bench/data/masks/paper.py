"""The masks of LBAM's paper: own random shapes mixed with NVIDIA's test masks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.data.masks.buckets import Mask
from bench.data.masks.family import GeneratedMasks, family_of, generate
from bench.data.masks.listed import MaskList
from bench.data.masks.nvidia import NvidiaMasks, nvidia
from bench.data.masks.source import MaskRequest, mask_source

SHAPES = 6000
RATIO = (0.2, 0.3)
"""Hole ratios of the shapes that training has."""
TEST_SHAPES = GeneratedMasks(("shapes",))
"""Shapes of test and validation pairs, drawn to the hole ratios of each bucket."""


@dataclass(frozen=True)
class PaperMasks(MaskList):
    """The paper's 18,000 masks: 6,000 own random shapes and NVIDIA's 12,000 test masks.

    The author of the released code says so (issue 8 of Vious/LBAM_Pytorch); of the shapes, 20 to
    30 % is hole. Training draws from this list.

    Pairs of test and validation draw their files from it too, a known weakness of that protocol:
    test masks may have been met in training. Its shapes lie in the bucket (0.2, 0.3] alone, where
    they would be most masks, and the trend over buckets would mix the two families. So every bucket
    has one shape for two files, as the list has, and shapes of its own hole ratios.
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
        """The shapes of training by number, then the files."""
        return [f"paper shapes/{i}" for i in range(SHAPES)] + list(self.nvidia.names)

    def read(self, index: int, size: int) -> Mask:
        """Return a shape made for that size, or a file resized."""
        if index < SHAPES:
            return generate(("shapes",), size, RATIO, 0, "paper shapes", index)
        return self.nvidia.read(index - SHAPES, size)

    def by_bucket(
        self, size: int, seed: int, purpose: str, count: int
    ) -> dict[str, list[tuple[str, Mask]]]:
        """Return up to `count` masks for each bucket, in the order file, shape, file, file, ...

        Every third mask is a shape, at the same places in all buckets: pair k has the same crop and
        the same family in each. A row ends where the files do.
        """
        shapes = TEST_SHAPES.by_bucket(size, seed, purpose, (count + 1) // 3)
        files = self.nvidia.by_bucket(size, seed, purpose, count - (count + 1) // 3)
        return {bucket: _interleaved(files[bucket], shapes[bucket]) for bucket in files}

    def load(self, name: str, size: int) -> Mask:
        """Return the mask of a name that `by_bucket` gave, or of the list."""
        if family_of(name) == TEST_SHAPES.name:
            return TEST_SHAPES.load(name, size)
        return super().load(name, size)


def _interleaved(
    files: Sequence[tuple[str, Mask]], shapes: Sequence[tuple[str, Mask]]
) -> list[tuple[str, Mask]]:
    """Return file, shape, file, file, shape, file, ... until the files end."""
    row = []
    for k, file in enumerate(files):
        row.append(file)
        if k % 2 == 0 and k // 2 < len(shapes):
            row.append(shapes[k // 2])
    return row


@mask_source(
    "paper", "the paper's 18,000: 6,000 random shapes and the masks of nvidia", families=("shapes",)
)
def paper(request: MaskRequest) -> PaperMasks:
    """Return the mix; NVIDIA's part lies below the data root or at a path."""
    return PaperMasks(nvidia(request))
