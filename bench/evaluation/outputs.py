"""Outputs that were made elsewhere: pictures in a folder, one for each test pair."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import ExifTags, Image
from torch import Tensor

from bench.core.errors import UserError
from bench.data.images.decode import SUFFIXES, Pixels, open_image, to_rgb
from bench.evaluation.given import Given

log = logging.getLogger(__name__)
OF_LAMA = "_mask"
"""End that LaMa's `predict.py` adds to an image's name: it names its output by the mask."""
LOSSLESS = ("PNG", "BMP")
"""Formats that keep every pixel as the program wrote it."""
NAMES_TOLD = 3
"""Names in a message about many files."""


class Outputs(Given):
    """Outputs that lie in files, one for each test pair."""

    def __init__(self, files: Sequence[Path]) -> None:
        super().__init__()
        self.files = files

    def of(self, pairs: Sequence[int]) -> Tensor:
        """Return the outputs [B,3,S,S] of some pairs, in whole steps of 1/255."""
        pixels = np.stack([read(self.files[pair]).pixels for pair in pairs])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255


class Output(NamedTuple):
    """A picture as it is measured, and what its file was."""

    pixels: Pixels
    format: str
    """Format of the file by its content, such as `PNG`."""
    conversions: tuple[str, ...]
    """Steps to RGB with 8 bits, such as `grey to RGB`."""


def find(folder: Path, stems: Sequence[str]) -> list[Path]:
    """Return the picture of each pair by the stem of its name, such as `00012`, in order.

    `00012_mask.png` stands for it as well. A picture that is missing or there twice is a
    `UserError`. Other files are told of.
    """
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; give --outputs the folder of filled pictures")
    found: dict[str, Path] = {}
    others, known = [], set(stems)
    for path in sorted(folder.glob("[!.]*")):  # hidden files are no business of ours
        stem = path.stem.removesuffix(OF_LAMA)
        if stem not in known or path.suffix.lower() not in SUFFIXES:
            others.append(path.name)
        elif stem in found:
            raise UserError(
                f"{folder} has two pictures of one pair, {found[stem].name} and {path.name}; "
                "remove one"
            )
        else:
            found[stem] = path
    missing = [f"{stem}.png" for stem in stems if stem not in found]
    if missing:
        raise UserError(
            f"{folder} lacks {_listed(missing)} of {len(stems)} pictures; nothing measured"
        )
    if others:
        log.warning("%s: left out, since no pair has their names: %s", folder, _listed(others))
    return [found[stem] for stem in stems]


def read(path: Path) -> Output:
    """Read an output; more than 8 bits a channel and transparent pixels are a `UserError`.

    A grey picture or one with a palette becomes RGB. It is turned upright by its EXIF orientation.
    """
    picture = open_image(path)
    with Image.open(path) as header:
        kind, raw = str(header.format), str(header.tile)
        turned = header.getexif().get(ExifTags.Base.Orientation, 1) != 1
    # Pillow would cut 16 bits of colour to 8 without a word.
    if ";16" in raw or picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        raise UserError(f"{path} has more than 8 bits a channel; save it with 8")
    return Output(np.asarray(to_rgb(picture)), kind, tuple(_conversions(path, picture, turned)))


def check_file(path: Path, output: Output, size: int, lossy: bool) -> None:
    """Raise a `UserError` for a picture of another size, or of a lossy format unless allowed."""
    height, width = output.pixels.shape[:2]
    if (height, width) != (size, size):
        raise UserError(f"{path} is {width}x{height}, and the test pairs are {size}x{size}")
    if output.format not in LOSSLESS and not lossy:
        raise UserError(
            f"{path} is {output.format}, which may have lost detail; save PNG, or measure it as it "
            "is with --lossy"
        )


def _conversions(path: Path, picture: Image.Image, turned: bool) -> Iterator[str]:
    """Yield what changes on the way to RGB; transparent pixels are a `UserError`."""
    if picture.has_transparency_data:
        if picture.convert("RGBA").getchannel("A").getextrema() != (255, 255):
            raise UserError(f"{path} has transparent pixels; save it as RGB")
        yield "opaque alpha dropped"
    if picture.mode in ("1", "L", "LA"):
        yield "grey to RGB"
    elif picture.mode not in ("RGB", "RGBA"):
        yield f"{picture.mode} to RGB"
    if turned:
        yield "turned upright by EXIF"


def _listed(names: Sequence[str]) -> str:
    """Return the first names and how many there are: `a, b, c and 5 more (8)`."""
    more = len(names) - NAMES_TOLD
    return ", ".join(names[:NAMES_TOLD]) + (f" and {more} more ({len(names)})" if more > 0 else "")
