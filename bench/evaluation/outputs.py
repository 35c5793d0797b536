"""Outputs that were made elsewhere: pictures in a folder, one for each test pair."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import ExifTags, Image
from torch import Tensor, nn

from bench.core.errors import UserError
from bench.data.export import stem
from bench.data.images.decode import SUFFIXES, Pixels, open_image, to_rgb

log = logging.getLogger(__name__)
NAMED = re.compile(r"(\d{5,})(_mask)?")
"""Stems of outputs: the number of the pair as exported, and what LaMa's `predict.py` adds."""
LOSSLESS = ("PNG", "BMP")
"""Formats that keep every pixel as the program wrote it."""
NAMES_TOLD = 3
"""Names in a message about many files."""


class Outputs(nn.Module):
    """Outputs in the place of a network: the evaluator asks for pairs by their numbers."""

    def __init__(self, files: Sequence[Path]) -> None:
        super().__init__()
        self.files = files

    def of(self, pairs: Sequence[int]) -> Tensor:
        """Return the outputs [B,3,S,S] in [0,1] of some pairs, in whole steps of 1/255."""
        pixels = np.stack([read(self.files[pair]).pixels for pair in pairs])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255


class Output(NamedTuple):
    """A picture as it is measured, and what its file was."""

    pixels: Pixels
    format: str
    """Format of the file by its content, such as `PNG`."""
    conversions: tuple[str, ...]
    """What was done to get RGB with 8 bits, such as `grey to RGB`."""


def find(folder: Path, pairs: int) -> list[Path]:
    """Return the picture of each pair, `00012.png` or `00012_mask.png`, in order.

    A picture that is missing or there twice is a `UserError`. Other files are told of.
    """
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; give --outputs the folder of filled pictures")
    found: dict[int, Path] = {}
    others = []
    for path in sorted(folder.glob("[!.]*")):  # hidden files are no business of ours
        number = _number(path)
        if number is None or number >= pairs:
            others.append(path.name)
        elif number in found:
            raise UserError(
                f"{folder} has two pictures of pair {number}, {found[number].name} and "
                f"{path.name}; remove one"
            )
        else:
            found[number] = path
    missing = [f"{stem(number)}.png" for number in range(pairs) if number not in found]
    if missing:
        raise UserError(f"{folder} lacks {_listed(missing)} of {pairs} pictures; nothing measured")
    if others:
        log.warning("%s: left out, since no pair has their names: %s", folder, _listed(others))
    return [found[number] for number in range(pairs)]


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


def _number(path: Path) -> int | None:
    """Return the number of the pair that a file is the output of, by its name."""
    match = NAMED.fullmatch(path.stem)
    if match is None or path.suffix.lower() not in SUFFIXES or stem(int(match[1])) != match[1]:
        return None
    return int(match[1])


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
