"""Contact sheets of one picture: its hole, and what each method made of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from bench.core.files import replacing
from bench.data.images.decode import open_image, to_rgb

SIDE, TEXT, GAP = 512, 24, 8
"""Longest side of a picture, height of the names above, and space between pictures, pixels."""


def draw(pictures: Mapping[str, Image.Image], path: Path) -> None:
    """Save pictures of one size side by side, each below its name."""
    for picture in pictures.values():
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    width = max(picture.width for picture in pictures.values())
    height = max(picture.height for picture in pictures.values())
    sheet = Image.new("RGB", (len(pictures) * (width + GAP) - GAP, TEXT + height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT * 0.6)
    for number, (name, picture) in enumerate(pictures.items()):
        left = number * (width + GAP)
        pen.text((left + width / 2, TEXT / 2), name, "black", font, anchor="mm")
        sheet.paste(picture, (left, TEXT))
    with replacing(path) as temporary:
        sheet.save(temporary)


def read(files: Mapping[str, Path]) -> dict[str, Image.Image]:
    """Read pictures in RGB by their names."""
    return {name: to_rgb(open_image(file)) for name, file in files.items()}


def is_newer(path: Path, files: Mapping[str, Path]) -> bool:
    """Return whether a sheet is there and newer than the pictures on it."""
    made = path.stat().st_mtime_ns if path.exists() else 0
    return all(file.stat().st_mtime_ns <= made for file in files.values())
