"""Fill one picture of any size from 16 pixels up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from bench.core.device import has_bf16_units
from bench.core.errors import UserError
from bench.core.files import replacing
from bench.data.images.decode import SUFFIXES, read_rgb
from bench.data.masks.generated import hole_ratio
from bench.data.masks.sources import read_mask, warn_mostly_hole
from bench.evaluation.fill import fill
from bench.networks.layers import composite, place

SMALLEST = 16


def read(image_file: Path, mask_file: Path, polarity: str) -> tuple[Tensor, Tensor]:
    """Image [1,3,H,W] in [0,1] and mask [1,1,H,W], 1 = known; what cannot be filled is an error."""
    image, mask = read_rgb(image_file), read_mask(mask_file, polarity == "hole-white")
    if image.shape[:2] != mask.shape:
        raise UserError(
            f"{mask_file} is {mask.shape[1]}x{mask.shape[0]} but {image_file} is "
            f"{image.shape[1]}x{image.shape[0]}; they must be of one size"
        )
    if min(mask.shape) < SMALLEST:
        raise UserError(f"{image_file} is smaller than {SMALLEST} pixels on a side")
    ratio = hole_ratio(mask)
    other = "hole-black" if polarity == "hole-white" else "hole-white"
    if ratio in (0.0, 1.0):
        what = "no hole" if ratio == 0.0 else "no known pixel"
        raise UserError(
            f"{mask_file} has {what} as {polarity}; check it, or use --polarity {other}"
        )
    warn_mostly_hole(ratio, str(mask_file), polarity == "hole-white")
    return (
        torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255,
        torch.from_numpy(mask)[None, None].float(),
    )


def fill_picture(network: nn.Module, image: Tensor, mask: Tensor, device: torch.device) -> Tensor:
    """Return the image [1,3,H,W] with its hole filled; known pixels stay as they are.

    Runs in bf16, weights included, where the device has units for it.
    """
    kind = torch.bfloat16 if has_bf16_units(device) else torch.float32
    network = place(network, device).to(kind)
    image, mask = image.to(device), mask.to(device)
    output = fill(network, image.to(kind), mask.to(kind)).float()
    return composite(output, image, mask)


def show_hole(image: Tensor, mask: Tensor) -> Tensor:
    """The image [1,3,H,W] with its hole in white."""
    return composite(torch.ones_like(image), image, mask)


def save(path: Path, image: Tensor) -> Path:
    """Save [1,3,H,W] in [0,1] as an 8-bit picture; the suffix chooses the format."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--out {path}: unknown picture format; use .png")
    pixels = (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    with replacing(path) as temporary:
        Image.fromarray(np.ascontiguousarray(pixels)).save(temporary)
    return path
