"""Holes made of drawn pieces, which are added until the hole is as large as wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from bench.data.masks.buckets import Mask

Piece = Callable[[ImageDraw.ImageDraw, int], None]
"""Function that draws one piece of a hole in a colour."""


def first_pieces(pieces: Sequence[Piece], size: int, holes: int) -> Mask:
    """Return the mask [size,size] of the first pieces, as many as come nearest to `holes` pixels.

    The pieces are drawn in reverse with their number as colour, so that one histogram gives the
    size of the hole after each of them.
    """
    order = Image.new("I", (size, size), 0)
    draw = ImageDraw.Draw(order)
    for number, piece in reversed(list(enumerate(pieces, 1))):
        piece(draw, number)
    first_cover = np.asarray(order)
    covered = np.cumsum(np.bincount(first_cover.ravel(), minlength=len(pieces) + 1)[1:])
    last = int(np.abs(covered - holes).argmin()) + 1
    mask: Mask = ((first_cover == 0) | (first_cover > last)).astype(np.uint8)
    return mask


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
