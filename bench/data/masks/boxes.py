"""Single boxes."""

from __future__ import annotations

import numpy as np

from bench.data.masks.buckets import Mask
from bench.data.masks.family import mask_family


@mask_family("boxes", "one box, aspect ratio 1/2 to 2")
def boxes(stream: np.random.Generator, size: int, holes: int) -> Mask:
    """Draw one box of the wanted area, aspect ratio log-uniform in [1/2, 2] as far as it fits."""
    aspect = 2.0 ** stream.uniform(-1, 1)  # log-uniform: tall boxes are as likely as wide ones
    height = int(np.clip(round(np.sqrt(holes * aspect)), np.ceil(holes / size), size))
    width = min(size, round(holes / height))
    top, left = stream.integers(size - height + 1), stream.integers(size - width + 1)
    mask = np.ones((size, size), np.uint8)
    mask[top : top + height, left : left + width] = 0
    return mask
