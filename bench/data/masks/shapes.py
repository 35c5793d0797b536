"""LBAM's random shapes: smooth noise, of which the darkest part is the hole."""

from __future__ import annotations

from functools import cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from bench.data.masks.buckets import Mask
from bench.data.masks.family import mask_family


@mask_family("shapes", "LBAM's random shapes: smooth noise cut at a quantile")
def shapes(stream: np.random.Generator, size: int, holes: int) -> Mask:
    """Draw 8x8 uniform noise, enlarge it bilinearly, and take its darkest part as the hole.

    The released script enlarges to 350, crops 256 and cuts at 0.25, then rejects unwanted ratios;
    here the cut is the quantile that gives the wanted number of hole pixels at once.
    """
    noise = stream.random((8, 8))
    large = round(size * 350 / 256)  # as the script has it at 256 px
    top, left = stream.integers(large - size + 1, size=2)
    rows, columns = (_bilinear(8, large)[start : start + size] for start in (top, left))
    # In strips: for the whole product BLAS starts threads, which stall the processes that draw
    # batches, and whose number changes the rounding on some processors.
    strips = rows.reshape(-1, gcd(size, 8), 8)
    surface = (strips @ noise @ columns.T).reshape(size, size)
    mask: Mask = (surface > _smallest(surface, holes)).astype(np.uint8)
    return mask


def _smallest(surface: NDArray[np.float64], k: int) -> float:
    """Return the k-th smallest value of an array of values in [0, 1], k from 1.

    A histogram tells the level that holds it, so that few values are left to be sorted.
    """
    level = (surface * 255).astype(np.uint8)
    up_to = np.cumsum(np.bincount(level.ravel(), minlength=256))
    found = int(np.searchsorted(up_to, k))
    values = surface[level == found]
    # Counted from the end of the level, where `up_to` knows the rank.
    return float(np.sort(values)[k - 1 - up_to[found]])


@cache  # a few sizes, and every mask needs it twice
def _bilinear(source: int, target: int) -> NDArray[np.float64]:
    """Return the matrix [target,source] that enlarges a row bilinearly, pixel centres aligned."""
    position = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    low = np.minimum(position.astype(int), source - 2)
    matrix = np.zeros((target, source))
    matrix[np.arange(target), low] = 1 - (position - low)
    matrix[np.arange(target), low + 1] = position - low
    return matrix
