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
    # Places stay on the device: to read one back, the host would wait for all work queued there.
    hole = mask[:, 0] < 0.5
    rows, columns = (_centred(hole.any(dim=2 - axis), side) for axis in (0, 1))
    pictures, channels = (torch.arange(n, device=x.device) for n in x.shape[:2])
    place = (pictures[:, None, None, None], channels[:, None, None], rows[:, None, :, None],
             columns[:, None, None, :])  # fmt: skip
    return x[place]


def _centred(hole: Tensor, side: int) -> Tensor:
    """Return the `side` places [B,side] around the middle of the true part of `hole` [B,length]."""
    length = hole.shape[1]
    places = torch.arange(length, device=hole.device)
    # Without a hole they are `length` and -1, whose sum is that of a hole everywhere.
    first = torch.where(hole, places, length).amin(1)
    last = torch.where(hole, places, -1).amax(1)
    start = ((first + last + 1 - side) // 2).clamp(0, length - side)
    return start[:, None] + places[:side]
