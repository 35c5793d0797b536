"""NVIDIA's masks: the test set of partial convolutions (Liu et al., ECCV 2018)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from bench.core.errors import UserError
from bench.data.images.source import missing
from bench.data.masks.files import FileMasks, declared_polarity
from bench.data.masks.source import MaskRequest, mask_source

RANGES = ((0.01, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6))
"""Hole ratios (low, high] that the numbers of the files stand for."""
PER_RANGE = 2000


class NvidiaMasks(FileMasks):
    """The 12,000 masks of 512x512 pixels, white is hole; 2,000 for each range of hole ratios."""

    def claimed(self, index: int) -> tuple[float, float] | None:
        """Return the range of hole ratios that a file's number stands for."""
        number = file_number(self.names[index])
        return None if number is None else RANGES[number // PER_RANGE]


@mask_source("nvidia", "the 12,000 test masks of partial convolutions")
def nvidia(request: MaskRequest) -> NvidiaMasks:
    """Return the masks below the data root or at a path."""
    folder = request.path or request.root / "nvidia_masks"
    if not folder.is_dir():
        raise missing(
            "NVIDIA's set of test masks",
            folder,
            "it comes from https://nv-adlr.github.io/publication/partialconv-inpainting "
            "(CC BY-NC-SA 4.0)",
            "00000.png to 11999.png",
        )
    polarity = declared_polarity("nvidia", "hole-white", request.polarity)
    source = NvidiaMasks.open(folder, polarity, request.digests)
    if all(file_number(name) is None for name in source.names):
        raise UserError(
            f"{folder} holds none of NVIDIA's test masks, 00000.png to 11999.png; "
            "use masks:PATH for other masks"
        )
    return source


def file_number(name: str) -> int | None:
    """Return the number of one of NVIDIA's files, None for another file."""
    stem = PurePosixPath(name).stem
    last = len(RANGES) * PER_RANGE - 1
    return int(stem) if re.fullmatch("[0-9]{1,5}", stem) and int(stem) <= last else None
