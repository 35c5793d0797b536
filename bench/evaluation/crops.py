"""Crops around the holes of a large picture, so that the memory to fill it is bounded.

A picture of at most `SIDE` x `SIDE` pixels is filled as a whole. In a larger one, holes nearer to
each other than `MARGIN` make a group, and each group is filled with `MARGIN` pixels around it:

- a group of at most `CORE` pixels a side in one crop;
- a longer one that is thin, such as a scratch, in tiles: each of its pixels then lies in the same
  tile as the nearest known one;
- a thick one at a lower resolution, from which the hole is enlarged again.

Tiles overlap, and where they do, the one with the pixel further inside counts more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from bench.core import heap
from bench.networks.holes import composite

SMALLEST = 16
"""Least side of a picture, pixels; networks promise to work from here on up."""
SIDE = 512
"""Side of the square whose pixels are the most that are filled at once."""
MARGIN = 96
"""Pixels around a group of holes that a method sees."""
CORE = SIDE - 2 * MARGIN
"""Longest side of a group of holes that is filled in one crop, pixels."""
Fill = Callable[[Tensor, Tensor], Tensor]
"""Function from image [B,3,h,w] in [0,1] and mask [B,1,h,w], 1 = known, to raw output [B,3,h,w].

It must use nothing of the hole."""


class Crop(NamedTuple):
    """A part of a picture that is filled at once."""

    group: int
    """Number of the group of holes that it fills."""
    rows: slice
    columns: slice
    scale: float = 1.0
    """Side at which it is filled, over its own; below 1 for a lower resolution."""


def fits(height: int, width: int) -> bool:
    """Return whether a picture of this size, pixels, is filled as a whole."""
    return height * width <= SIDE**2


def fill_holes(fill: Fill, image: Tensor, mask: Tensor) -> Tensor:
    """Fill the holes of an image [B,3,H,W] in [0,1] in place, and return it.

    The mask is [B,1,H,W] with 1 = known; both lie on the CPU, and `fill` returns its output there.
    Known pixels stay bit for bit as they are. A large image is filled in crops.
    """
    if fits(*image.shape[-2:]):
        return image.copy_(composite(fill(image, mask), image, mask))
    for one, known in zip(image.split(1), mask.split(1), strict=True):
        _fill_large(fill, one, known)
    return image


def _fill_large(fill: Fill, image: Tensor, mask: Tensor) -> None:
    """Fill the hole of an image [1,3,H,W] in place by the weighted mean of its crops' outputs.

    No `fill` uses the hole's pixels, so that the sums can lie there.
    """
    groups = group_holes(mask[0, 0].numpy() > 0.5)
    image *= mask
    total = mask.clone()  # the sum of the weights; known pixels are divided by 1
    for crop in plan(groups):
        part = (..., crop.rows, crop.columns)
        own = torch.from_numpy(groups[crop.rows, crop.columns] == crop.group)
        weight = _ramps(crop, groups.shape)[own]
        filled = _fill_scaled(fill, image[part], mask[part], crop.scale)
        image[part][..., own] += filled[..., own] * weight
        total[part][..., own] += weight
        heap.trim()  # crops are of any size
    image /= total


def group_holes(known: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Return the number of each hole pixel's group, from 1 on, and 0 for the known ones [H,W]."""
    import cv2

    near = cv2.distanceTransform(known.astype(np.uint8), cv2.DIST_L2, 5) < MARGIN / 2
    _, labels = cv2.connectedComponents(near.astype(np.uint8), ltype=cv2.CV_16U)
    labels[known] = 0
    return labels  # type: ignore[return-value]


def plan(groups: NDArray[np.uint16]) -> Iterator[Crop]:
    """Yield the crops of all groups of holes in a picture [H,W]."""
    from scipy import ndimage

    for group, box in enumerate(ndimage.find_objects(groups), start=1):
        longest = max(part.stop - part.start for part in box)
        whole = _around(group, box, groups.shape)
        if longest <= CORE:
            yield whole
        elif _thickness(groups[whole.rows, whole.columns], group) <= MARGIN:
            yield from _tiles(group, box, groups)
        else:
            yield _around(group, box, groups.shape, CORE / longest)


def _thickness(groups: NDArray[np.uint16], group: int) -> float:
    """Return how far a pixel of a group [h,w] is from a known one at most, pixels."""
    import cv2

    hole = (groups > 0).astype(np.uint8)
    return float(cv2.distanceTransform(hole, cv2.DIST_L2, 5)[groups == group].max())


def _tiles(group: int, box: tuple[slice, ...], groups: NDArray[np.uint16]) -> Iterator[Crop]:
    """Yield crops whose middles of `CORE` x `CORE` pixels make up the box, but for empty ones."""
    rows, columns = (range(part.start, part.stop, CORE) for part in box)
    for top in rows:
        for left in columns:
            core = (
                slice(top, min(top + CORE, box[0].stop)),
                slice(left, min(left + CORE, box[1].stop)),
            )
            if (groups[core] == group).any():
                yield _around(group, core, groups.shape)


def _around(group: int, box: tuple[slice, ...], size: tuple[int, ...], scale: float = 1.0) -> Crop:
    """Return the crop of a box with a margin, moved as far as necessary to lie in the picture."""
    rows, columns = (
        _within(part, round(MARGIN / scale), length) for part, length in zip(box, size, strict=True)
    )
    return Crop(group, rows, columns, scale)


def _within(part: slice, margin: int, length: int) -> slice:
    size = min(part.stop - part.start + 2 * margin, length)
    start = min(max(part.start - margin, 0), length - size)
    return slice(start, start + size)


def _ramps(crop: Crop, size: tuple[int, ...]) -> Tensor:
    """Return weights [h,w] of a crop's pixels: 1, and less towards its edges inside the picture."""
    rows, columns = (
        _ramp(part, length) for part, length in zip((crop.rows, crop.columns), size, strict=True)
    )
    return rows[:, None] * columns


def _ramp(part: slice, length: int) -> Tensor:
    places = torch.arange(part.start, part.stop, dtype=torch.float32)
    weights = torch.ones_like(places)
    if part.start > 0:
        weights = torch.minimum(weights, (places - part.start + 1) / MARGIN)
    if part.stop < length:
        weights = torch.minimum(weights, (part.stop - places) / MARGIN)
    return weights


def _fill_scaled(fill: Fill, image: Tensor, mask: Tensor, scale: float) -> Tensor:
    """Return the output [1,3,h,w] for a crop [1,3,h,w], filled at a lower resolution if asked."""
    if scale == 1.0:
        return fill(image, mask)
    size = [max(round(side * scale), SMALLEST) for side in image.shape[-2:]]
    coverage = F.interpolate(mask, size, mode="area")
    # The mean of the known pixels alone: the hole's would shine through at its border.
    small = F.interpolate(image * mask, size, mode="area") / coverage.clamp_min(1e-6)
    known = (coverage >= coverage.max().clamp_max(0.5)).float()
    filled = composite(fill(small, known), small, known)
    return F.interpolate(filled, image.shape[-2:], mode="bicubic").clamp_(0, 1)
