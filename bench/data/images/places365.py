"""Places365-standard (Zhou et al., TPAMI 2017): the ten categories of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.core.errors import UserError
from bench.core.seeds import rng
from bench.data.images.source import ImageRequest, Picture, Split, image_source, missing

CATEGORIES = (
    "/a/apartment_building/outdoor",
    "/b/beach",
    "/h/house",
    "/o/ocean",
    "/s/sky",
    "/t/throne_room",
    "/t/tower",
    "/t/tundra",
    "/v/valley",
    "/w/wheat_field",
)
PER_CATEGORY = 5000
"""Training images of each category, at most."""


@image_source("places365", "Places365-standard: the paper's ten categories, 5,000 each")
def places365(request: ImageRequest) -> list[Picture]:
    """Return the images of one split; `val` and `test` are halves of the published validation set.

    The labels of the published test set are secret, so its categories cannot be chosen. Draws have
    a fixed seed for each category. High-resolution images are taken where their folder is there,
    else those of 256x256 pixels, which the set's authors squashed to a square.
    """
    folder, split = request.root / "places365", request.split
    data = _open(folder, "train-standard" if split == "train" else "val")
    below = Path(data.images_dir)
    if not below.is_dir():
        raise _missing(folder, f"no folder {below.name}")
    chosen = [
        file for category in CATEGORIES for file in _draw(_files(data, category), category, split)
    ]
    for file in chosen:
        if not file.is_file():
            raise UserError(
                f"Places365 lists {file.relative_to(below)}, which is not in {below}; "
                "unpack its archive again"
            )
    return [Picture(file.relative_to(below).as_posix(), file) for file in chosen]


def _open(folder: Path, published: str) -> Any:
    """Open torchvision's data set, of which only the lists are read."""
    from torchvision.datasets import Places365

    large = "data_large_standard" if published == "train-standard" else "val_large"
    try:
        return Places365(folder, published, small=not (folder / large).is_dir())
    except RuntimeError as error:  # a list is not there, or its checksum is another
        raise _missing(folder, str(error).partition(". ")[0]) from error


def _files(data: Any, category: str) -> list[Path]:
    """Return the images of a category, sorted."""
    target = data.class_to_idx[category]
    return sorted(Path(file) for file, its in data.imgs if its == target)


def _draw(files: Sequence[Path], category: str, split: Split) -> list[Path]:
    if split == "train":
        order = rng(0, "places365 train", category).permutation(len(files))[:PER_CATEGORY]
    else:
        order = rng(0, "places365 validation", category).permutation(len(files))
        half = len(files) // 2
        order = order[:half] if split == "val" else order[half:]
    return [files[i] for i in sorted(order.tolist())]


def _missing(folder: Path, problem: str) -> UserError:
    return missing(
        "Places365-standard",
        folder,
        f"{problem}; it comes from http://places2.csail.mit.edu/download.html, and "
        f"torchvision.datasets.Places365('{folder}', split=S, small=True, download=True) fetches "
        "it for S = 'train-standard' and 'val'",
        "categories_places365.txt, places365_train_standard.txt, places365_val.txt and "
        "data_large_standard/ and val_large/, or data_256_standard/ and val_256/",
    )
