"""Pictures of runs, as figures, pages and studies read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.core.errors import UserError

Picture = NDArray[np.uint8]
"""[H,W,3], 0..255."""


def read_picture(file: Path) -> Picture:
    """Read a picture as RGB; a file that cannot be read is a `UserError` that names it."""
    try:
        with Image.open(file) as picture:
            return np.asarray(picture.convert("RGB"))
    # Pillow reports a damaged file in any of these ways.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            f"picture {file} cannot be read ({error}); remove it, and `python -m bench report` "
            "makes it again"
        ) from error
