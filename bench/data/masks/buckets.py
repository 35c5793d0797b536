"""Masks as arrays, and the buckets of hole ratios that tables have as columns."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
"""A mask [H,W]: 1 = known, 0 = hole, everywhere in the program."""
BUCKETS: tuple[tuple[float, float], ...] = ((0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5))
"""Hole ratios (low, high] of the paper's tables: a ratio of exactly 0.2 is in the first."""


def hole_ratio(mask: Mask) -> float:
    """Return the share of hole pixels, in [0, 1]."""
    return 1.0 - float(mask.mean(dtype=np.float64))


def bucket_label(bucket: tuple[float, float]) -> str:
    """Return a bucket as tables print it: `(0.1, 0.2]`."""
    return f"({bucket[0]:g}, {bucket[1]:g}]"


def within(ratio: float, bounds: tuple[float, float]) -> bool:
    """Return whether `ratio` lies in (low, high]: the border belongs to the lower bucket."""
    # A ratio is a multiple of 1/(H·W), so rounding at 1e-9 only removes the float error of 0.1.
    return round(ratio - bounds[0], 9) > 0 >= round(ratio - bounds[1], 9)


def bucket_of(ratio: float) -> str | None:
    """Return the label of the bucket that holds `ratio`, or None."""
    return next((bucket_label(bucket) for bucket in BUCKETS if within(ratio, bucket)), None)


def mask_hash(mask: Mask) -> str:
    """Return the digest of a mask's pixels and shape, 16 hexadecimal digits."""
    return hashlib.sha256(repr(mask.shape).encode() + np.packbits(mask).tobytes()).hexdigest()[:16]
