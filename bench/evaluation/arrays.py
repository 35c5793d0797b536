"""Pictures and masks of a notebook: numpy arrays, PIL images and tensors, and functions on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from bench.config import Model
from bench.core.errors import UserError
from bench.data.masks.polarity import Polarity
from bench.evaluation.metrics.pixelwise import quantise

Picture = TypeVar("Picture", NDArray[np.generic], Image.Image, Tensor)
Hole = NDArray[np.generic] | Image.Image | Tensor
Fill = Callable[[NDArray[np.uint8], NDArray[np.bool_]], NDArray[np.generic]]
"""Function from an image [H,W,3], its hole black, and the hole [H,W], True, to the filled image."""


def to_tensor(image: object, what: str = "image") -> Tensor:
    """Return a picture as a tensor [B,3,H,W] in [0,1], float32, on the CPU.

    It is an array [H,W,3], a PIL image in RGB, or a tensor [3,H,W] or [B,3,H,W]; numbers are uint8,
    or floats in [0,1]. Anything else is a `UserError`, which calls the picture `what`.
    """
    if isinstance(image, Image.Image) and image.mode != "RGB":
        raise UserError(f"{what} has the mode {image.mode}; use {what}.convert('RGB')")
    if isinstance(image, Tensor):
        values, shapes = image.detach().cpu(), "[3,H,W] or [B,3,H,W]"
        values = values[None] if values.ndim == 3 else values
    elif isinstance(image, np.ndarray | Image.Image):
        values, shapes = _from_numpy(np.array(image), what)[None], "[H,W,3]"
        values = values.movedim(-1, 1)
    else:
        kind = type(image).__name__
        raise UserError(f"{what} is of the type {kind}; give an array, a PIL image or a tensor")
    if values.ndim != 4 or values.shape[1] != 3 or not values.numel():
        raise UserError(f"{what} has the shape {[*image.shape]}; it must be {shapes}")  # type: ignore[union-attr]
    if values.dtype == torch.uint8:
        return values.float() / 255
    if not values.dtype.is_floating_point:
        raise UserError(f"{what} has numbers of {values.dtype}; use uint8, or floats in [0,1]")
    if not values.isfinite().all():
        raise UserError(f"{what} has NaN or infinite values; replace them")
    if values.min() < 0 or values.max() > 1:
        raise UserError(
            f"{what} has values from {values.min():g} to {values.max():g}; floats must lie in "
            "[0,1], and levels 0..255 be uint8"
        )
    return values.float()


def known_pixels(mask: Hole, image: Tensor, polarity: Polarity) -> Tensor:
    """Return a mask as a tensor [B,1,H,W], 1 = known, for an image [B,3,H,W].

    The mask is an array [H,W], a PIL image, or a tensor [H,W], [1,H,W] or [B,1,H,W]. Its hole is
    True, non-zero or white, or the opposite with the polarity `hole-black`. A PIL image is cut at
    half of its range, as files are. A mask of another shape or kind is a `UserError`.
    """
    if polarity not in get_args(Polarity):
        raise UserError(f"polarity is '{polarity}'; use {' or '.join(get_args(Polarity))}")
    if isinstance(mask, Image.Image):
        marked = torch.from_numpy(np.asarray(mask.convert("L")) >= 128)
    elif isinstance(mask, np.ndarray | Tensor):
        values = mask.detach().cpu() if isinstance(mask, Tensor) else _from_numpy(mask, "mask")
        if values.dtype.is_floating_point and values.isnan().any():
            raise UserError("mask has NaN values; replace them")
        marked = values != 0
    else:
        kind = type(mask).__name__
        raise UserError(f"mask is of the type {kind}; give an array, a PIL image or a tensor")
    batch, _, height, width = image.shape
    shapes = [(height, width), (1, height, width), (batch, 1, height, width)]
    if tuple(marked.shape) not in shapes:
        raise UserError(
            f"mask has the shape {[*marked.shape]}, and the image is {height} high and {width} "
            "wide; give [H,W], or a tensor [B,1,H,W]"
        )
    known = marked != (polarity == "hole-white")
    return known.expand(batch, 1, height, width).float()


def into(original: Picture, filled: Tensor, known: Tensor) -> Picture:
    """Return the original, of its own kind, with the holes of a filled picture [B,3,H,W] in [0,1].

    Known pixels are those of the original, bit for bit.
    """
    if isinstance(original, Tensor):
        values = quantise(filled) if original.dtype == torch.uint8 else filled
        values = values.to(original.device, original.dtype).reshape(original.shape)
        kept = known.bool().expand_as(filled).reshape(original.shape).to(original.device)
        return torch.where(kept, original.detach(), values)
    pixels = np.array(original)
    values = quantise(filled) if pixels.dtype == np.uint8 else filled
    hole = known[0, 0].numpy() == 0
    pixels[hole] = values[0].movedim(0, -1).cpu().numpy()[hole]
    return Image.fromarray(pixels) if isinstance(original, Image.Image) else pixels


class Function(nn.Module):
    """A function on numpy arrays as a network for images [B,3,H,W] and masks [B,1,H,W].

    An output that is no picture of the input's size is a `UserError`.
    """

    def __init__(self, model: Model, function: Fill) -> None:
        super().__init__()
        self.function = function

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the filled images [B,3,H,W] in [0,1]; the function gets one after the other."""
        pixels = quantise(image).byte().movedim(1, -1).contiguous().cpu().numpy()
        holes = mask[:, 0].cpu().numpy() == 0
        filled = [self._fill(*pair) for pair in zip(pixels, holes, strict=True)]
        return torch.cat(filled).to(image.device)

    def _fill(self, image: NDArray[np.uint8], hole: NDArray[np.bool_]) -> Tensor:
        output = self.function(image.copy(), hole.copy())
        if not isinstance(output, np.ndarray) or output.shape != image.shape:
            got = getattr(output, "shape", type(output).__name__)
            raise UserError(f"the function returned {got}; it must be an array {image.shape}")
        return to_tensor(output, "output")


def _from_numpy(values: NDArray[np.generic], what: str) -> Tensor:
    try:
        return torch.from_numpy(np.ascontiguousarray(values))
    except TypeError as error:
        raise UserError(f"{what} has the type {values.dtype}; give numbers") from error
