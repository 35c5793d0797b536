"""Decoding any photograph to RGB, 8 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from bench.core.errors import UserError

Pixels = NDArray[np.uint8]
"""[H,W,3], 0..255."""
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif"}


def open_image(path: Path) -> Image.Image:
    """Return the decoded picture, upright by its EXIF orientation.

    A file that is missing, damaged, too large or no picture is a `UserError` that names it.
    """
    try:
        with Image.open(path) as picture:
            picture.load()
            return ImageOps.exif_transpose(picture)
    except FileNotFoundError as error:
        raise UserError(f"no file {path}") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path} is not an image in a format that can be read") from error
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise UserError(f"{path} has more than {most} million pixels; make it smaller") from error
    except Exception as error:  # A damaged file can fail anywhere inside Pillow.
        reason = getattr(error, "strerror", None) or str(error) or repr(error)
        raise UserError(f"{path} is damaged or truncated: {reason}") from error


def read_rgb(path: Path) -> Pixels:
    """Read a picture as [H,W,3] in 0..255: 16 bits scaled, gray expanded, alpha over white."""
    return np.asarray(to_rgb(open_image(path)))


def to_rgb(picture: Image.Image) -> Image.Image:
    """Convert a picture of any PIL mode to RGB, 8 bits."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return Image.fromarray(_to_8_bits(np.asarray(picture))).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        # What colour lies under transparent pixels is arbitrary: black in many files.
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return picture.convert("RGB")


def resize_shorter(pixels: Pixels, shorter: int) -> Pixels:
    """Scale so that the shorter side is `shorter` pixels (antialiased, bicubic)."""
    height, width = pixels.shape[:2]
    scale = shorter / min(height, width)
    # Rounding could make the shorter side one pixel too short for the crop.
    size = max(shorter, round(width * scale)), max(shorter, round(height * scale))
    if size == (width, height):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def _to_8_bits(values: NDArray[np.generic]) -> Pixels:
    """Scale gray values of more than 8 bits: integers are 16-bit samples, floats lie in [0, 1]."""
    top = 1.0 if values.dtype.kind == "f" else 65535.0
    return np.clip(np.round(values.astype(np.float64) * (255 / top)), 0, 255).astype(np.uint8)
