"""Free-form strokes, as DeepFill v2 draws them (Yu et al., ICCV 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from bench.data.masks.buckets import Mask
from bench.data.masks.drawing import Piece, clip, first_pieces, segment
from bench.data.masks.family import mask_family

MOST_STROKES = 12
"""More than any hole needs: strokes are added until the hole is as large as wanted."""


@mask_family("strokes", "free-form strokes of DeepFill v2")
def strokes(stream: np.random.Generator, size: int, holes: int) -> Mask:
    """Draw strokes until the hole has about the wanted number of pixels.

    At 256 px: 4-11 segments a stroke, lengths N(diagonal/8, half of it) up to diagonal/4, widths
    U(12, 40). Directions are 2pi/5 ± U(0, 2pi/15) against the x-axis, in turn on either side of it.
    The flips of the published code have no effect there, and are left out.
    """
    pieces = (piece for _ in range(MOST_STROKES) for piece in _stroke(stream, size))
    return first_pieces(pieces, size, holes)


def _stroke(stream: np.random.Generator, size: int) -> Iterator[Piece]:
    """Draw one stroke; yield its segments."""
    diagonal = float(np.hypot(size, size))
    x, y = stream.uniform(0, size, 2).tolist()
    around = np.array([1, -1]) * stream.uniform(0, 2 * np.pi / 15, 2)
    steepest, flattest = (2 * np.pi / 5 + around).tolist()
    width = stream.uniform(12, 40) * size / 256
    for vertex in range(int(stream.integers(4, 12))):
        angle = stream.uniform(flattest, steepest)
        heading = angle if vertex % 2 else -angle
        length = clip(stream.normal(diagonal / 8, diagonal / 16), diagonal / 4)
        start = (x, y)
        x = clip(x + length * float(np.cos(heading)), size)
        y = clip(y + length * float(np.sin(heading)), size)
        yield partial(segment, start=start, end=(x, y), width=width)
