"""Generated masks of a wanted hole ratio; inside the program 1 = known and 0 = hole.

Families: LBAM's random shapes, DeepFill's free-form strokes, and boxes. Each mask is a function of
its seed alone, so mask number 17 is the same whoever asks for it and in whichever batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from bench.errors import unknown
from bench.seeds import rng

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


def bucket_of(ratio: float) -> str | None:
    """The label of the bucket (low, high] that holds `ratio`, or None."""
    # A ratio is a multiple of 1/(H·W), so rounding at 1e-9 only removes the float error of 0.1.
    for low, high in BUCKETS:
        if round(ratio - low, 9) > 0 >= round(ratio - high, 9):
            return bucket_label((low, high))
    return None


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
    raise RuntimeError(f"no {family} mask of {size} pixels with a ratio in {ratio}")


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
    it), widths U(12, 40). Segments are drawn in reverse with their number as colour, so one
    histogram gives the hole after each of them.
    """
    order = Image.new("I", (size, size), 0)
    segments = [s for _ in range(12) for s in _stroke(stream, size)]
    draw = ImageDraw.Draw(order)
    for number, (start, end, width) in reversed(list(enumerate(segments, 1))):
        draw.line([start, end], fill=number, width=round(width))
        for x, y in (start, end):
            radius = width / 2
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=number)
    first_cover = np.asarray(order)
    covered = np.cumsum(np.bincount(first_cover.ravel(), minlength=len(segments) + 1)[1:])
    last = int(np.abs(covered - holes).argmin()) + 1
    mask: Mask = ((first_cover == 0) | (first_cover > last)).astype(np.uint8)
    return mask


def boxes(stream: np.random.Generator, size: int, holes: int) -> Mask:
    """One box of the wanted area, aspect ratio log-uniform in [1/2, 2] as far as it fits."""
    aspect = 2.0 ** stream.uniform(-1, 1)
    height = int(np.clip(round(np.sqrt(holes * aspect)), np.ceil(holes / size), size))
    width = min(size, round(holes / height))
    top, left = stream.integers(size - height + 1), stream.integers(size - width + 1)
    mask = np.ones((size, size), np.uint8)
    mask[top : top + height, left : left + width] = 0
    return mask


FAMILIES: dict[str, Callable[[np.random.Generator, int, int], Mask]] = {
    "shapes": shapes,
    "strokes": strokes,
    "boxes": boxes,
}


def families(spec: str) -> list[str]:
    """`shapes,strokes` to names of families; an unknown one answers with the nearest."""
    names = [name.strip() for name in spec.split(",")]
    for name in names:
        if name not in FAMILIES:
            raise unknown("mask source", name, [*FAMILIES, "masks:PATH", "nvidia:PATH"])
    return names


Segment = tuple[tuple[float, float], tuple[float, float], float]


def _stroke(stream: np.random.Generator, size: int) -> list[Segment]:
    diagonal = np.hypot(size, size)
    x, y = stream.uniform(0, size, 2)
    heading = stream.uniform(0, 2 * np.pi)
    width = stream.uniform(12, 40) * size / 256
    segments = []
    for vertex in range(int(stream.integers(4, 12))):
        turn = 2 * np.pi / 5 + stream.uniform(-2 * np.pi / 15, 2 * np.pi / 15)
        heading += turn if vertex % 2 else -turn
        length = max(0.0, stream.normal(diagonal / 8, diagonal / 16))
        start = (x, y)
        x = float(np.clip(x + length * np.cos(heading), 0, size))
        y = float(np.clip(y + length * np.sin(heading), 0, size))
        segments.append((start, (x, y), width))
    return segments


def _bilinear(source: int, target: int) -> NDArray[np.float64]:
    """Matrix [target, source] that enlarges a row bilinearly (pixel centres aligned)."""
    position = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    low = np.minimum(position.astype(int), source - 2)
    matrix = np.zeros((target, source))
    matrix[np.arange(target), low] = 1 - (position - low)
    matrix[np.arange(target), low + 1] = position - low
    return matrix
