"""Paris StreetView (Doersch et al., 2012) as Pathak et al. (2016) divided it for inpainting."""

from __future__ import annotations

from pathlib import Path

from bench.core.errors import UserError
from bench.core.seeds import rng
from bench.data.images.source import (
    ImageRequest,
    Picture,
    image_source,
    list_folder,
    missing,
)

# The archive of the training images holds their folder a second time; the inner one is meant.
TRAIN = ("paris_train_original/paris_train_original", "paris_train_original")
TEST = ("paris_eval/paris_eval_gt", "paris_eval_gt")
VALIDATION = 100
"""Training photographs held out, of 14,900; never more than half of those there are."""


@image_source("paris", "Paris StreetView: 14,900 photographs, 100 for testing; on request")
def paris(request: ImageRequest) -> list[Picture]:
    """Return the photographs of one split.

    The published set has no validation images: `val` is drawn from the training folder with a fixed
    seed.
    """
    if request.split == "test":
        return list_folder(_locate(request.root, TEST))
    folder = _locate(request.root, TRAIN)
    everything = list_folder(folder)
    if len(everything) < 2:
        raise UserError(
            f"{folder} holds {len(everything)} image; Paris StreetView has 14,900, and at least 2 "
            "are needed to hold one out for validation"
        )
    count = min(VALIDATION, len(everything) // 2)
    held_out = set(rng(0, "paris validation").permutation(len(everything))[:count].tolist())
    wanted = request.split == "val"
    return [p for i, p in enumerate(everything) if (i in held_out) == wanted]


def _locate(root: Path, layouts: tuple[str, ...]) -> Path:
    for base in (root / "paris_streetview", root):
        for layout in layouts:
            if (base / layout).is_dir():
                return base / layout
    raise missing(
        "Paris StreetView",
        root / "paris_streetview",
        "its inpainting split is given on request by the authors of Context Encoders, see "
        "https://github.com/pathak22/context-encoder",
        f"{TRAIN[-1]}/ with 14,900 .JPG and {TEST[0]}/ with 100 .png",
    )
