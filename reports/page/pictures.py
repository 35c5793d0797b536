"""Saved pictures as small data URIs."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path

from PIL import Image

from bench.core.run_folder import PairPictures
from reports.pictures import read_picture

SIDE = 256
"""Largest length of a picture's long side, in pixels."""
QUALITY = 85
"""Quality of WebP.

It is high enough that a reader does not take its blocks for artefacts of a method.
"""
PARTS = ("input", "output", "truth")


def common_pairs(folders: Mapping[str, PairPictures], measured: Iterable[int]) -> list[int]:
    """Return the `measured` pairs whose pictures are in every folder, in the given order."""
    if not folders:
        return []
    saved = set.intersection(*(f.pairs_with(part) for f in folders.values() for part in PARTS))
    return [pair for pair in measured if pair in saved]


def encoded(pair: int, folders: Mapping[str, PairPictures]) -> list[str]:
    """Return a pair's pictures as data URIs: its input, each method's output in order, its truth.

    Raise UserError if a file cannot be read.
    """
    files = [folder.file(pair, "output") for folder in folders.values()]
    anywhere = next(iter(folders.values()))  # the same pair has the same input and truth
    files = [anywhere.file(pair, "input"), *files, anywhere.file(pair, "truth")]
    return [_data_uri(file) for file in files]


def _data_uri(file: Path) -> str:
    small = Image.fromarray(read_picture(file))
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
