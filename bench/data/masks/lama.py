"""LaMa's masks (Suvorov et al., WACV 2022) in their three presets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import ImageDraw

from bench.data.masks.buckets import Mask
from bench.data.masks.drawing import Piece, clip, first_pieces, segment
from bench.data.masks.family import mask_family

BOX_SHARE = 0.3 / 1.3
"""Probability that a mask is made of boxes: LaMa weights strokes 1 and boxes 0.3."""


@dataclass(frozen=True)
class Preset:
    """The numbers of one preset; lengths are pixels at 256 px.

    LaMa draws how many strokes or boxes a mask has; here it is always the most, cut where the hole
    has about the wanted number of pixels. The values are those of
    `configs/data_gen/random_{thin,medium,thick}_256.yaml` in its released code.
    """

    strokes: int
    length: int
    """A segment is 10 to 9 + `length` long."""
    width: int
    """A segment is 5 to 4 + `width` wide."""
    boxes: int = 0
    sides: tuple[int, int] = (0, 0)
    """Shortest and longest side of a box."""
    margin: int = 0
    """Distance of the boxes from the border."""

    def draw(self, stream: np.random.Generator, size: int, holes: int) -> Mask:
        """Draw one mask [size,size] with about `holes` hole pixels."""
        if self.boxes and stream.random() < BOX_SHARE:
            pieces = (self._box_piece(stream, size) for _ in range(self.boxes))
        else:
            pieces = (p for k in range(self.strokes) for p in self._segments(stream, size, k % 2))
        return first_pieces(pieces, size, holes)

    def _segments(self, stream: np.random.Generator, size: int, odd: int) -> Iterator[Piece]:
        """Yield one to five segments, heading 0, 1, 2 or 3 rad; even strokes turn the other way."""
        x, y = map(float, stream.integers(size, size=2))
        for _ in range(1 + int(stream.integers(5))):
            angle = 0.01 + int(stream.integers(4))
            angle = angle if odd else 2 * np.pi - angle
            length = (10 + int(stream.integers(self.length))) * size / 256
            width = (5 + int(stream.integers(self.width))) * size / 256
            start = (x, y)
            x = clip(x + length * float(np.sin(angle)), size)
            y = clip(y + length * float(np.cos(angle)), size)
            yield partial(segment, start=start, end=(x, y), width=width)

    def _box_piece(self, stream: np.random.Generator, size: int) -> Piece:
        shortest, longest = self.sides
        drawn = stream.integers(shortest, longest + 1, size=2) * size / 256
        width, height = (max(1, round(side)) for side in drawn)
        margin = round(self.margin * size / 256)
        left = int(stream.integers(margin, size - margin - width + 1))
        top = int(stream.integers(margin, size - margin - height + 1))
        return partial(_rectangle, corners=(left, top, left + width - 1, top + height - 1))


def _rectangle(draw: ImageDraw.ImageDraw, colour: int, corners: tuple[int, int, int, int]) -> None:
    draw.rectangle(corners, fill=colour)


mask_family("lama-thin", "LaMa's thin masks")(Preset(50, 40, 10).draw)
mask_family("lama-medium", "LaMa's medium masks")(Preset(5, 100, 50, boxes=5, sides=(10, 50)).draw)
mask_family("lama-thick", "LaMa's thick masks")(
    Preset(5, 200, 100, boxes=3, sides=(30, 150), margin=10).draw
)
