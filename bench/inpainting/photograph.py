"""One photograph's file: what it holds beside colours, and what of it a filled picture keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile
from torch import Tensor

from bench.core.errors import UserError
from bench.core.files import replacing
from bench.data.images.decode import SUFFIXES, Pixels, open_image, to_rgb
from bench.evaluation import album
from bench.evaluation.metrics.pixelwise import quantise

GREY = {"1", "L", "LA", "I", "F"}
"""PIL's modes of grey pictures; those of 16 bits begin with `I;16`."""
WITH_ALPHA = {".png", ".webp", ".tif", ".tiff"}
"""Suffixes of the formats that can hold alpha beside RGB or grey."""
JPEG: dict[str, Any] = {"quality": 95, "subsampling": 0}
FORMATS = {**album.FORMATS, ".jpg": JPEG, ".jpeg": JPEG}
"""Options of a format by suffix."""


class Photograph(NamedTuple):
    """A decoded photograph, upright."""

    pixels: Pixels
    """Colours [H,W,3], 0..255, also those under transparent pixels."""
    alpha: NDArray[np.uint8] | None
    """Opacity [H,W], 0..255, where the file has any."""
    grey: bool
    icc: bytes | None
    """ICC profile of the colours, where it still fits them."""
    notes: tuple[str, ...]
    """The changes on the way from the file to these pixels, a few words each."""

    def seen(self) -> Pixels:
        """Return the colours [H,W,3] that a method sees: transparent pixels stand over white."""
        if self.alpha is None:
            return self.pixels
        return np.asarray(to_rgb(Image.fromarray(np.dstack([self.pixels, self.alpha]))))

    def tensor(self) -> Tensor:
        """Return these colours as a new tensor [1,3,H,W] in [0,1]."""
        return torch.from_numpy(self.seen().copy()).permute(2, 0, 1)[None].float().div_(255)

    def keeps_alpha(self, suffix: str) -> bool:
        """Return whether a file of this suffix keeps the photograph's alpha."""
        return self.alpha is not None and suffix.lower() in WITH_ALPHA

    def told(self, suffix: str) -> tuple[str, ...]:
        """Return all that is to be told of this photograph, if it is saved with this suffix."""
        if self.alpha is None:
            return self.notes
        kept = "alpha is kept, and opaque in the hole"
        lost = f"alpha is lost in {suffix}: the picture stands over white"
        return (*self.notes, kept if self.keeps_alpha(suffix) else lost)

    def with_hole_filled(self, filled: Tensor, hole: NDArray[np.bool_], suffix: str) -> Image.Image:
        """Return the picture to save: its own pixels, and in the hole [H,W] those of `filled`.

        `filled` is [1,3,H,W] in [0,1]. The picture is grey if the photograph is, and has its alpha
        if the suffix of the file allows.
        """
        kept = self.keeps_alpha(suffix)
        pixels = (self.pixels if kept else self.seen()).copy()
        pixels[hole] = quantise(filled[0][:, torch.from_numpy(hole)]).byte().T.numpy()
        picture = Image.fromarray(pixels).convert("L" if self.grey else "RGB")
        if kept and self.alpha is not None:
            picture.putalpha(Image.fromarray(np.where(hole, np.uint8(255), self.alpha)))
        return picture


def read(path: Path) -> Photograph:
    """Read a photograph of any mode, upright by its EXIF orientation.

    A file that cannot be read is a `UserError`.
    """
    picture = open_image(path)
    notes = _notes_of(path)
    deep = picture.mode in ("I", "F") or picture.mode.startswith("I;16")
    alpha = None
    if picture.has_transparency_data and not deep:
        rgba = np.asarray(picture.convert("RGBA"))
        pixels, alpha = rgba[..., :3], rgba[..., 3]
    else:
        pixels = np.asarray(to_rgb(picture))
    icc = picture.info.get("icc_profile") if picture.mode not in ("CMYK", "LAB") else None
    return Photograph(pixels, alpha, deep or picture.mode in GREY, icc, notes)


def save(path: Path, photograph: Photograph, filled: Tensor, hole: NDArray[np.bool_]) -> None:
    """Save a photograph with its hole [H,W] filled from an image [1,3,H,W] in [0,1], 8 bits.

    The file is written whole or not at all. Known pixels are those of the photograph, bit for bit
    where the format loses nothing. A suffix of no known picture format is a `UserError`, as are
    numbers in the hole that are not finite.
    """
    check_format(path)
    if not filled[0][:, torch.from_numpy(hole)].isfinite().all():
        raise UserError(f"{path}: the method gives NaN or infinity here; did its training diverge?")
    suffix = path.suffix.lower()
    picture = photograph.with_hole_filled(filled, hole, suffix)
    with replacing(path) as temporary:
        picture.save(temporary, icc_profile=photograph.icc, **FORMATS.get(suffix, {}))


def check_format(path: Path) -> None:
    """Raise a `UserError` for a name whose suffix is that of no picture format."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--out {path}: unknown picture format; use .png")


def _notes_of(path: Path) -> tuple[str, ...]:
    """Return what decoding a file changes."""
    try:
        with Image.open(path) as header:
            return tuple(_notes(header))
    except Exception as error:  # of several pictures in a file, the first may be the only whole one
        raise UserError(f"{path} is damaged: {error}") from error


def _notes(header: ImageFile.ImageFile) -> Iterator[str]:
    """Yield what decoding changes in a file that was opened and not yet decoded."""
    mode = header.mode
    # Pillow cuts 16 bits of colour to 8 without a word.
    if ";16" in str(header.tile) or mode in ("I", "F") or mode.startswith("I;16"):
        yield "more than 8 bits a channel become 8"
    if mode in GREY or mode.startswith("I;16"):
        yield "grey stays grey"
    elif mode not in ("RGB", "RGBA"):
        yield f"{'a palette' if mode in ('P', 'PA') else mode} becomes RGB"
    if mode == "CMYK" and header.info.get("icc_profile"):
        yield "its CMYK profile is left out"
    if header.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        yield "turned upright by its EXIF orientation"
    if getattr(header, "n_frames", 1) > 1:
        yield f"the first of {getattr(header, 'n_frames', 1)} pictures in the file"
