"""LBAM's random shapes: smooth noise, of which the darkest part is the hole."""

from __future__ import annotations

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
    surface = rows @ noise @ columns.T
    # The k-th smallest value in linear time, without sorting all of them.
    cut = np.partition(surface, holes - 1, axis=None)[holes - 1]
    mask: Mask = (surface > cut).astype(np.uint8)
    return mask


def _bilinear(source: int, target: int) -> NDArray[np.float64]:
    """Return the matrix [target,source] that enlarges a row bilinearly, pixel centres aligned."""
    position = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    low = np.minimum(position.astype(int), source - 2)
    matrix = np.zeros((target, source))
    matrix[np.arange(target), low] = 1 - (position - low)
    matrix[np.arange(target), low + 1] = position - low
    return matrix
