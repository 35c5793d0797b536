"""A folder of one's own photographs."""

from __future__ import annotations

import hashlib

from bench.core.errors import UserError
from bench.data.images.source import (
    SPLITS,
    ImageRequest,
    Picture,
    Split,
    image_source,
    list_folder,
)


@image_source("folder", "your own photographs, in train, val and test or undivided", "always")
def folder(request: ImageRequest) -> list[Picture]:
    """Return the pictures of the subfolder of a split, or of a drawn split.

    A folder without `train`, `val` and `test` is divided by a hash of the files' names. One that
    serves testing alone is a test set as it stands.
    """
    below = request.path
    assert below is not None  # the source takes a path always
    if any((below / name).is_dir() for name in SPLITS):
        return list_folder(below / request.split)
    everything = list_folder(below)
    if request.for_testing_alone:
        return everything
    chosen = [picture for picture in everything if drawn_split(picture.name) == request.split]
    if not chosen:
        raise UserError(
            f"folder {below} has too few images ({len(everything)}) to draw a {request.split} "
            "split; add images, or make the subfolders train, val and test"
        )
    return chosen


def drawn_split(name: str) -> Split:
    """Return the split of a file by a hash of its name: 80 % train, 10 % val, 10 % test.

    A hash, not a shuffle: adding files then moves no other file into another split.
    """
    draw = hashlib.sha256(name.encode()).digest()[0] / 256
    return "train" if draw < 0.8 else "val" if draw < 0.9 else "test"
