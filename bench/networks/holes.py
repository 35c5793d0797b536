"""Putting images together and cropping them at their holes."""

from __future__ import annotations

import torch
from torch import Tensor


def composite(output: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Known pixels of `image` (mask 1), the rest from `output`; [B,3,H,W] and mask [B,1,H,W]."""
    return torch.where(mask > 0.5, image, output)


def crop_at_hole(x: Tensor, mask: Tensor, side: int) -> Tensor:
    """Squares [B,C,side,side] of x [B,C,H,W], centred on the hole's bounding box in each mask.

    Moved as far as it must be to lie inside the image; without a hole it lies in the middle.
    """
    squares = []
    for picture, hole in zip(x, mask[:, 0] < 0.5, strict=True):
        top, left = (
            _centred(hole.any(dim=1 - axis), side, picture.shape[1 + axis]) for axis in (0, 1)
        )
        squares.append(picture[:, top : top + side, left : left + side])
    return torch.stack(squares)


def _centred(hole: Tensor, side: int, length: int) -> int:
    """Start of `side` pixels around the middle of the true stretch of `hole` [length]."""
    places: list[int] = hole.nonzero()[:, 0].tolist() or [0, length - 1]
    start = (places[0] + places[-1] + 1 - side) // 2
    return max(0, min(start, length - side))
