"""The polarity of mask files: which colour is the hole. Inside the program 1 = known, 0 = hole."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from bench.data.images.decode import open_image, to_rgb
from bench.data.masks.buckets import Mask

log = logging.getLogger(__name__)
Polarity = Literal["hole-white", "hole-black"]
MOSTLY_HOLE = 0.6
"""Mean hole ratio above which the polarity is probably the other one."""


def read_mask(path: Path, polarity: Polarity, size: int | None = None) -> Mask:
    """Read a mask picture as [H,W] of {0, 1}, 1 = known.

    The picture is resized to `size` x `size` by nearest neighbours, if a size is given, and then
    cut at half of its range: other filters would blur the border, and the hole would depend on
    where it is cut.
    """
    picture = to_rgb(open_image(path)).convert("L")
    if size is not None and picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.NEAREST)
    white = np.asarray(picture) >= 128
    known: Mask = (white != (polarity == "hole-white")).astype(np.uint8)
    return known


def warn_if_mostly_hole(ratio: float, what: str, polarity: Polarity) -> None:
    """Warn where a mean hole ratio suggests the other polarity, and name the option."""
    if ratio > MOSTLY_HOLE:
        now, other = ("white", "black") if polarity == "hole-white" else ("black", "white")
        log.warning(
            "%s: %.0f %% is hole if the hole is %s; if that is wrong, use --polarity hole-%s",
            what, 100 * ratio, now, other,
        )  # fmt: skip
