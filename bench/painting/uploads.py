"""Pictures as the page sends and shows them: files in memory, which never reach the disk."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from bench.core.errors import UserError
from bench.data.images.decode import to_rgb
from bench.evaluation.crops import SMALLEST

MOST_PIXELS = 25_000_000
"""Pixels of the largest picture: a small file can hold a picture that fills the memory."""


def decode(content: bytes, name: str) -> Image.Image:
    """Return the picture of an image file, as RGB with 8 bits and upright by its EXIF orientation.

    One that is damaged, too large, too small to be filled, or no picture is a `UserError` about
    `name`. The pixels are those that `bench.data.images.decode.read_rgb` reads from such a file.
    """
    try:
        with Image.open(io.BytesIO(content)) as picture:  # reads the size alone
            _check_size(name, *picture.size)
            picture.load()
            return to_rgb(ImageOps.exif_transpose(picture))
    except UserError:
        raise
    except UnidentifiedImageError as error:
        raise UserError(f"{name} is not an image in a format that can be read") from error
    except Exception as error:  # A damaged file can fail anywhere inside Pillow.
        raise UserError(f"{name} is damaged or truncated: {error or repr(error)}") from error


def _check_size(name: str, width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        most = f"{MOST_PIXELS // 10**6} million pixels"
        raise UserError(f"{name} has {width}x{height} pixels; make it smaller, up to {most}")
    if min(width, height) < SMALLEST:
        raise UserError(f"{name} is smaller than {SMALLEST} pixels on a side")


def encode(pixels: NDArray[np.uint8] | Image.Image) -> bytes:
    """Return pixels [H,W,3] in 0..255, or a PIL image, as a PNG file."""
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    # The browser gets it from this machine: the best compression would take seconds and save none.
    picture.save(file, "png", compress_level=1)
    return file.getvalue()
