"""Saved pictures as small data URIs."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path

from PIL import Image

from bench.core.errors import UserError

SIDE = 256
"""Pixels of the long side, at most."""
QUALITY = 85
"""Of WebP, where blocks are not seen beside the artefacts that a reader looks for."""
PARTS = ("input", "output", "truth")


def common_pairs(folders: Mapping[str, Path], measured: Iterable[int]) -> list[int]:
    """The numbers of the `measured` pairs whose pictures lie in every folder, in their order."""
    if not folders:
        return []
    saved = set.intersection(*map(_saved_pairs, folders.values()))
    return [pair for pair in measured if pair in saved]


def encoded(pair: int, folders: Mapping[str, Path]) -> list[str]:
    """Data URIs of a pair's input, of every method's output in their order, and of the truth."""
    files = [_file(folder, pair, "output") for folder in folders.values()]
    anywhere = next(iter(folders.values()))  # the same pair has the same input and truth
    files = [_file(anywhere, pair, "input"), *files, _file(anywhere, pair, "truth")]
    return [_data_uri(file) for file in files]


def _saved_pairs(folder: Path) -> set[int]:
    having = [
        {int(file.name.partition("_")[0]) for file in folder.glob(f"[0-9]*_{part}.png")}
        for part in PARTS
    ]
    return set.intersection(*having)


def _file(folder: Path, pair: int, part: str) -> Path:
    return folder / f"{pair:05d}_{part}.png"


def _data_uri(file: Path) -> str:
    try:
        with Image.open(file) as picture:
            small = picture.convert("RGB")
    except OSError as error:
        raise UserError(f"picture {file} cannot be read: {error}") from error
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
