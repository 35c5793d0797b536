"""Holes made of pieces, against drawing every piece and counting the pixels after each."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bench.data.masks.drawing import Piece, first_pieces, segment

SIZE = 40


def pieces(seed: int, count: int) -> list[Piece]:
    stream = np.random.default_rng(seed)
    ends = stream.uniform(0, SIZE, (count, 2, 2)).tolist()
    return [
        partial(segment, start=tuple(a), end=tuple(b), width=float(stream.uniform(1, 6)))
        for a, b in ends
    ]


def holes_after(drawn: list[Piece]) -> list[np.ndarray]:
    """The hole after each of the pieces."""
    picture = Image.new("1", (SIZE, SIZE))
    draw, holes = ImageDraw.Draw(picture), []
    for piece in drawn:
        piece(draw, 1)
        holes.append(np.array(picture))
    return holes


@pytest.mark.parametrize("count", [1, 5, 24, 25, 48, 100, 255])
def test_the_hole_is_that_of_the_first_pieces_nearest_to_the_wanted_one(count: int) -> None:
    drawn = pieces(count, count)
    expected = holes_after(drawn)
    sizes = np.array([hole.sum() for hole in expected])
    for holes in range(1, SIZE * SIZE, 37):
        nearest = int(np.abs(sizes - holes).argmin())
        mask = first_pieces(iter(drawn), SIZE, holes)
        assert np.array_equal(mask == 0, expected[nearest])
        assert mask.dtype == np.uint8


def test_pieces_after_the_last_one_are_not_made() -> None:
    made = []

    def endless() -> Iterator[Piece]:
        for number, piece in enumerate(pieces(0, 200)):
            made.append(number)
            yield piece

    first_pieces(endless(), SIZE, SIZE * SIZE // 8)
    assert len(made) < 60
