"""Mask files decoded and resized once, and kept as bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.core.digests import FileDigests
from bench.data import cache
from bench.data.images.source import Picture
from bench.data.masks.buckets import Mask
from bench.data.masks.polarity import Polarity, read_mask


@dataclass(frozen=True)
class PackedMasks:
    """Masks of one size by index; `masks[i]` is [size,size] of {0, 1}, 1 = known."""

    size: int
    bits: NDArray[np.uint8]
    """Masks [count, bytes], eight pixels a byte; the last byte of each may be partly empty."""

    def __getitem__(self, index: int) -> Mask:
        pixels = np.unpackbits(self.bits[index], count=self.size**2)
        return pixels.reshape(self.size, self.size)


def load_masks(
    sources: Sequence[cache.Source],
    polarity: Polarity,
    size: int,
    folder: Path,
    digests: FileDigests,
) -> PackedMasks:
    """Return mask files as `read_mask` gives them, resized to `size`, through a cache in `folder`.

    The cache is that of the files' bytes; one that is damaged, or was changed since it was hashed,
    is a `UserError`.
    """

    def decode(picture: Picture) -> cache.Decoded:
        return cache.Decoded(np.packbits(read_mask(picture.path, polarity, size)))

    recipe = cache.Recipe(
        what="masks",
        key=(size, polarity, cache.digest(sources)),
        size_option=f"--size {size}",
        least_bytes=-(-(size**2) // 8),
        decode=decode,
    )
    found = cache.load(sources, recipe, folder, digests)
    return PackedMasks(size, found.pixels.reshape(len(sources), -1))
