"""Generated masks of a wanted hole ratio; inside the program 1 = known and 0 = hole.

Families: LBAM's random shapes, DeepFill's free-form strokes, boxes, and LaMa's three presets. Each
mask is a function of its seed alone, so mask number 17 is the same whoever asks for it and in
whichever batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from bench.core.errors import UserError, unknown
from bench.core.seeds import rng

Mask = NDArray[np.uint8]
"""[H,W], 1 = known, 0 = hole."""
BUCKETS: tuple[tuple[float, float], ...] = ((0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5))
"""Hole ratios (low, high] of the paper's tables."""


def hole_ratio(mask: Mask) -> float:
    """Share of hole pixels."""
    return 1.0 - float(mask.mean(dtype=np.float64))


def bucket_label(bucket: tuple[float, float]) -> str:
    """`(0.1, 0.2]`."""
    return f"({bucket[0]:g}, {bucket[1]:g}]"


def within(ratio: float, bounds: tuple[float, float]) -> bool:
    """Whether `ratio` lies in (low, high]."""
    # A ratio is a multiple of 1/(H·W), so rounding at 1e-9 only removes the float error of 0.1.
    return round(ratio - bounds[0], 9) > 0 >= round(ratio - bounds[1], 9)


def bucket_of(ratio: float) -> str | None:
    """The label of the bucket (low, high] that holds `ratio`, or None."""
    return next((bucket_label(bucket) for bucket in BUCKETS if within(ratio, bucket)), None)


def generate(
    families: Sequence[str],
    size: int,
    ratio: tuple[float, float],
    seed: int,
    purpose: str,
    index: int,
) -> Mask:
    """Mask number `index` of a stream: [size,size], its hole ratio in (low, high].

    The family is drawn from `families`, the wanted ratio uniformly from the range.
    """
    pixels = size * size
    low, high = int(np.floor(ratio[0] * pixels + 1e-6)) + 1, int(np.floor(ratio[1] * pixels + 1e-6))
    for attempt in range(1000):
        stream = rng(seed, purpose, index, attempt)
        family = families[int(stream.integers(len(families)))]
        wanted = int(stream.integers(low, high + 1))
        mask = FAMILIES[family](stream, size, wanted)
        if low <= pixels - int(mask.sum(dtype=np.int64)) <= high:
            return mask
    raise UserError(
        f"no {','.join(families)} mask of {size} pixels was found with a hole ratio in "
        f"{bucket_label(ratio)}; choose another --ratio or other masks"
    )


def shapes(stream: np.random.Generator, size: int, holes: int) -> Mask:
    """LBAM's random shapes: 8x8 uniform noise, enlarged bilinearly, the darkest part is the hole.

    The released script enlarges to 350, crops 256 and cuts at 0.25, then rejects unwanted ratios;
    here the cut is the quantile that gives the wanted number of hole pixels at once.
    """
    noise = stream.random((8, 8))
    large = round(size * 350 / 256)
    top, left = stream.integers(large - size + 1, size=2)
    rows, columns = (_bilinear(8, large)[start : start + size] for start in (top, left))
    surface = rows @ noise @ columns.T
    cut = np.partition(surface, holes - 1, axis=None)[holes - 1]
    mask: Mask = (surface > cut).astype(np.uint8)
    return mask


def strokes(stream: np.random.Generator, size: int, holes: int) -> Mask:
    """Free-form strokes of DeepFill v2 until the hole has about the wanted number of pixels.

    At 256 px: 4-11 vertices a stroke, turns of 2pi/5 ± U(0, 2pi/15), lengths N(diagonal/8, half of
    it), widths U(12, 40).
    """
    return _cut([piece for _ in range(12) for piece in _stroke(stream, size)], size, holes)


def boxes(stream: np.random.Generator, size: int, holes: int) -> Mask:
    """One box of the wanted area, aspect ratio log-uniform in [1/2, 2] as far as it fits."""
    aspect = 2.0 ** stream.uniform(-1, 1)
    height = int(np.clip(round(np.sqrt(holes * aspect)), np.ceil(holes / size), size))
    width = min(size, round(holes / height))
    top, left = stream.integers(size - height + 1), stream.integers(size - width + 1)
    mask = np.ones((size, size), np.uint8)
    mask[top : top + height, left : left + width] = 0
    return mask


@dataclass(frozen=True)
class Lama:
    """A preset of LaMa's masks (Suvorov et al., WACV 2022): lengths are pixels at 256 px.

    A mask is made of strokes or of boxes, with weights 1 and 0.3. LaMa draws how many; here it is
    always the most, cut where the hole has about the wanted number of pixels. The values are those
    of `configs/data_gen/random_{thin,medium,thick}_256.yaml` in its released code.
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
    """Of the boxes, from the border."""

    def __call__(self, stream: np.random.Generator, size: int, holes: int) -> Mask:
        """A mask of that preset, [size,size]."""
        if self.boxes and stream.random() < 0.3 / 1.3:
            pieces = [self._box(stream, size) for _ in range(self.boxes)]
        else:
            pieces = [p for k in range(self.strokes) for p in self._stroke(stream, size, k % 2)]
        return _cut(pieces, size, holes)

    def _stroke(self, stream: np.random.Generator, size: int, odd: int) -> list[Piece]:
        """One to five segments, heading 0, 1, 2 or 3 rad; even strokes turn the other way."""
        x, y = map(float, stream.integers(size, size=2))
        pieces: list[Piece] = []
        for _ in range(1 + int(stream.integers(5))):
            angle = 0.01 + int(stream.integers(4))
            angle = angle if odd else 2 * np.pi - angle
            length = (10 + int(stream.integers(self.length))) * size / 256
            width = (5 + int(stream.integers(self.width))) * size / 256
            start = (x, y)
            x = float(np.clip(x + length * np.sin(angle), 0, size))
            y = float(np.clip(y + length * np.cos(angle), 0, size))
            pieces.append(partial(_segment, start=start, end=(x, y), width=width))
        return pieces

    def _box(self, stream: np.random.Generator, size: int) -> Piece:
        shortest, longest = self.sides
        drawn = stream.integers(shortest, longest + 1, size=2) * size / 256
        width, height = (max(1, round(side)) for side in drawn)
        margin = round(self.margin * size / 256)
        left = int(stream.integers(margin, size - margin - width + 1))
        top = int(stream.integers(margin, size - margin - height + 1))
        return partial(_box, corners=(left, top, left + width - 1, top + height - 1))


FAMILIES: dict[str, Callable[[np.random.Generator, int, int], Mask]] = {
    "shapes": shapes,
    "strokes": strokes,
    "boxes": boxes,
    "lama-thin": Lama(50, 40, 10),
    "lama-medium": Lama(5, 100, 50, boxes=5, sides=(10, 50)),
    "lama-thick": Lama(5, 200, 100, boxes=3, sides=(30, 150), margin=10),
}


FILE_SOURCES = ("masks:PATH", "nvidia", "qd-imd", "paper")
"""The sources of masks beside the families, as an error names them."""


def families(spec: str) -> list[str]:
    """`shapes,strokes` to names of families; an unknown one answers with the nearest."""
    names = [name.strip() for name in spec.split(",")]
    for name in names:
        if name not in FAMILIES:
            raise unknown("mask source", name, [*FAMILIES, *FILE_SOURCES])
    return names


Piece = Callable[[ImageDraw.ImageDraw, int], None]
"""Draws one piece of a hole in a colour."""


def _cut(pieces: Sequence[Piece], size: int, holes: int) -> Mask:
    """The first pieces, as many as make a hole nearest to the wanted number of pixels.

    They are drawn in reverse with their number as colour, so one histogram gives the hole after
    each of them.
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


def _segment(
    draw: ImageDraw.ImageDraw,
    colour: int,
    start: tuple[float, float],
    end: tuple[float, float],
    width: float,
) -> None:
    """A line with round ends."""
    draw.line([start, end], fill=colour, width=round(width))
    for x, y in (start, end):
        radius = width / 2
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)


def _box(draw: ImageDraw.ImageDraw, colour: int, corners: tuple[int, int, int, int]) -> None:
    draw.rectangle(corners, fill=colour)


def _stroke(stream: np.random.Generator, size: int) -> list[Piece]:
    diagonal = np.hypot(size, size)
    x, y = stream.uniform(0, size, 2)
    heading = stream.uniform(0, 2 * np.pi)
    width = stream.uniform(12, 40) * size / 256
    segments: list[Piece] = []
    for vertex in range(int(stream.integers(4, 12))):
        turn = 2 * np.pi / 5 + stream.uniform(-2 * np.pi / 15, 2 * np.pi / 15)
        heading += turn if vertex % 2 else -turn
        length = max(0.0, stream.normal(diagonal / 8, diagonal / 16))
        start = (x, y)
        x = float(np.clip(x + length * np.cos(heading), 0, size))
        y = float(np.clip(y + length * np.sin(heading), 0, size))
        segments.append(partial(_segment, start=start, end=(x, y), width=width))
    return segments


def _bilinear(source: int, target: int) -> NDArray[np.float64]:
    """Matrix [target, source] that enlarges a row bilinearly (pixel centres aligned)."""
    position = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    low = np.minimum(position.astype(int), source - 2)
    matrix = np.zeros((target, source))
    matrix[np.arange(target), low] = 1 - (position - low)
    matrix[np.arange(target), low + 1] = position - low
    return matrix
