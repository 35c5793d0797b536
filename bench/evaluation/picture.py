"""Functions to read, fill and save one picture of a user, of any size from 16 pixels up."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from bench.core.device import has_bf16_units
from bench.core.errors import UserError
from bench.data.images.decode import SUFFIXES, read_rgb
from bench.data.masks.buckets import Mask, hole_ratio
from bench.data.masks.polarity import Polarity, read_mask, warn_if_mostly_hole
from bench.evaluation.album import save_picture
from bench.evaluation.fill import fill
from bench.networks.holes import composite
from bench.networks.layers import to_device

SMALLEST = 16
"""Least side of a picture, pixels; networks promise to work from here on up."""


def read(image_file: Path, mask_file: Path, polarity: Polarity) -> tuple[Tensor, Tensor]:
    """Read an image [1,3,H,W] in [0,1] and its mask [1,1,H,W], 1 = known.

    Raise a `UserError` if their sizes differ, a side is below 16 pixels, or the mask has no hole or
    no known pixel. `polarity` says which colour the hole has in the mask file. A mask that is
    mostly hole is a warning.
    """
    image, mask = read_rgb(image_file), read_mask(mask_file, polarity)
    if image.shape[:2] != mask.shape:
        raise UserError(
            f"{mask_file} is {mask.shape[1]}x{mask.shape[0]} but {image_file} is "
            f"{image.shape[1]}x{image.shape[0]}; they must be of one size"
        )
    check(mask, str(image_file), str(mask_file), polarity)
    # Arrays of PIL images are read-only, and torch wants writable ones: hence a copy.
    return (
        torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255,
        torch.from_numpy(mask)[None, None].float(),
    )


def check(mask: Mask, image_name: str, mask_name: str, polarity: Polarity) -> None:
    """Raise a `UserError` for a mask [H,W], 1 = known, that is too small, all hole or all known.

    One that is mostly hole is a warning. `polarity` says how it was read.
    """
    if min(mask.shape) < SMALLEST:
        raise UserError(f"{image_name} is smaller than {SMALLEST} pixels on a side")
    ratio = hole_ratio(mask)
    other = "hole-black" if polarity == "hole-white" else "hole-white"
    if ratio in (0.0, 1.0):
        what = "no hole" if ratio == 0.0 else "no known pixel"
        raise UserError(
            f"{mask_name} has {what} as {polarity}; check it, or use --polarity {other}"
        )
    warn_if_mostly_hole(ratio, mask_name, polarity)


def fill_picture(network: nn.Module, image: Tensor, mask: Tensor, device: torch.device) -> Tensor:
    """Return the image [1,3,H,W] with its hole filled; known pixels stay as they are.

    The mask is [1,1,H,W] with 1 = known. The network runs in bf16, weights included, where the
    device has units for it.
    """
    dtype = torch.bfloat16 if has_bf16_units(device) else torch.float32
    network = to_device(network, device).to(dtype)
    image, mask = image.to(device), mask.to(device)
    output = fill(network, image.to(dtype), mask.to(dtype)).float()
    return composite(output, image, mask)


def show_hole(image: Tensor, mask: Tensor) -> Tensor:
    """Return the image [1,3,H,W] with its hole in white; the mask is [1,1,H,W], 1 = known."""
    return composite(torch.ones_like(image), image, mask)


def save(path: Path, image: Tensor) -> Path:
    """Save an image [1,3,H,W] in [0,1] with 8 bits, and return the path.

    A suffix of no known picture format is a `UserError`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--out {path}: unknown picture format; use .png")
    save_picture(path, image[0])
    return path
