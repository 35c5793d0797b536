"""Functions that put images together and crop them at their holes."""

from __future__ import annotations

import torch
from torch import Tensor


def composite(output: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Return the known pixels of `image` and, in the hole, those of `output`.

    Images are [B,3,H,W], the mask is [B,1,H,W] with 1 = known.
    """
    # A choice, not a weighted sum: known pixels come out bit for bit as they went in.
    return torch.where(mask > 0.5, image, output)


def crop_at_hole(x: Tensor, mask: Tensor, side: int) -> Tensor:
    """Crop squares [B,C,side,side] of x [B,C,H,W], centred on the hole's bounding box in each mask.

    The mask is [B,1,H,W] with 1 = known. A square is moved as far as necessary to lie inside the
    image. Without a hole it lies in the middle.
    """
    squares = []
    for picture, hole in zip(x, mask[:, 0] < 0.5, strict=True):
        top, left = (
            _centred(hole.any(dim=1 - axis), side, picture.shape[1 + axis]) for axis in (0, 1)
        )
        squares.append(picture[:, top : top + side, left : left + side])
    return torch.stack(squares)


def _centred(hole: Tensor, side: int, length: int) -> int:
    """Return the start of `side` pixels around the middle of the true part of `hole` [length]."""
    places: list[int] = hole.nonzero()[:, 0].tolist() or [0, length - 1]
    start = (places[0] + places[-1] + 1 - side) // 2
    return max(0, min(start, length - side))
