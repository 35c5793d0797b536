"""Photographs decoded and resized once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.core.digests import FileDigests
from bench.core.errors import UserError
from bench.data import cache
from bench.data.images.decode import Pixels, read_rgb, resize_shorter
from bench.data.images.source import Picture


@dataclass(frozen=True)
class Photos:
    """Resized photographs by index; `photos[i]` is a read-only [H,W,3] view, uint8."""

    names: list[str]
    resize: int
    """The length their shorter sides were scaled to."""
    shapes: list[tuple[int, int]]
    digest: str
    """Hash of the files' names and bytes: what the data is, wherever it lies."""
    pixels: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Pixels:
        height, width = self.shapes[index]
        start = self.offsets[index]
        return self.pixels[start : start + height * width * 3].reshape(height, width, 3)


def load_photos(
    pictures: Sequence[Picture],
    resize: int,
    size: int,
    folder: Path,
    digests: FileDigests | None = None,
) -> Photos:
    """Return photographs with their shorter side scaled to `resize`, through a cache in `folder`.

    The cache is that of the files' bytes, which `digests` knows or reads. A photograph with a side
    shorter than the crop `size` is a `UserError`: scaling it up to fill the crop would measure the
    scaling.
    """
    digests = digests or FileDigests()
    sources = cache.hashed(pictures, digests)
    digest = cache.digest(sources)
    recipe = cache.Recipe(
        what="photographs",
        key=(resize, digest),
        size_option=f"--resize {resize}",
        least_bytes=resize**2 * 3,  # of a square
        decode=partial(_decode, resize=resize, size=size),
    )
    found = cache.load(sources, recipe, folder, digests)
    for picture, (_, shortest) in zip(pictures, found.facts, strict=True):
        _check_side(picture.name, shortest, size)
    shapes = [(h, w) for (h, w), _ in found.facts]
    ends = np.cumsum([h * w * 3 for h, w in shapes])
    offsets = np.concatenate([[0], ends]).astype(np.int64)
    names = [picture.name for picture in pictures]
    return Photos(names, resize, shapes, digest, found.pixels, offsets)


def _decode(picture: Picture, resize: int, size: int) -> cache.Decoded:
    """Return resized pixels, with their shape and the shorter side of the file."""
    pixels = read_rgb(picture.path)
    shortest = min(pixels.shape[:2])
    # Before it is resized: a line of pixels would become a very long picture.
    _check_side(picture.name, shortest, size)
    resized = resize_shorter(pixels, resize)
    return cache.Decoded(resized, (resized.shape[:2], shortest))


def _check_side(name: str, shortest: int, size: int) -> None:
    """Raise a `UserError` for a photograph that is smaller than the crop."""
    if shortest < size:
        raise UserError(
            f"image {name} is {shortest} pixels on its shorter side, less than the crop of "
            f"{size}; remove it or lower --size"
        )
