"""Holes made of drawn pieces, which are added until the hole is as large as wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from bench.data.masks.buckets import Mask

Piece = Callable[[ImageDraw.ImageDraw, int], None]
"""Function that draws one piece of a hole in a colour."""
AT_ONCE = 24
"""Pieces that are drawn before the hole is measured."""


def first_pieces(pieces: Iterable[Piece], size: int, holes: int) -> Mask:
    """Return the mask [size,size] of the first pieces, as many as come nearest to `holes` pixels.

    Pieces are taken until the hole is large enough, and 255 at most. The first has colour 255 and
    each later one is darker, so that the brightest piece on a pixel is its first. One histogram
    then gives the size of the hole after each of them.
    """
    first_cover = Image.new("L", (size, size), 0)
    covered = np.zeros(255, np.int64)
    numbered = zip(range(255, 0, -1), pieces, strict=False)
    while covered[-1] < holes and (more := list(islice(numbered, AT_ONCE))):
        first_cover = ImageChops.lighter(first_cover, _first_cover(more, size))
        covered = np.cumsum(first_cover.histogram()[:0:-1])
    last = 255 - int(np.abs(covered - holes).argmin())
    mask: Mask = (np.asarray(first_cover) < last).astype(np.uint8)
    return mask


def _first_cover(pieces: Sequence[tuple[int, Piece]], size: int) -> Image.Image:
    """Return the colour of the first of some pieces on each pixel, 0 where none is."""
    picture = Image.new("L", (size, size), 0)
    draw = ImageDraw.Draw(picture)
    for colour, piece in reversed(pieces):
        piece(draw, colour)
    return picture


def segment(
    draw: ImageDraw.ImageDraw,
    colour: int,
    start: tuple[float, float],
    end: tuple[float, float],
    width: float,
) -> None:
    """Draw a line with round ends; lengths are in pixels."""
    draw.line([start, end], fill=colour, width=round(width))
    for x, y in (start, end):
        radius = width / 2
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)


def clip(value: float, most: float) -> float:
    """Return the nearest value in [0, most]; `np.clip` takes ten times as long for one number."""
    return min(max(value, 0.0), float(most))
