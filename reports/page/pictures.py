"""Saved pictures as small data URIs."""

from __future__ import annotations

import base64
from collections import Counter
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
LARGEST = 20_000_000
"""Number of characters that all pictures of a page may have: browsers open larger pages slowly."""


def common_pairs(folders: Mapping[str, PairPictures], measured: Iterable[int]) -> list[int]:
    """Return the `measured` pairs whose pictures are in every folder, in the given order."""
    if not folders:
        return []
    saved = set.intersection(*(folder.complete for folder in folders.values()))
    return [pair for pair in measured if pair in saved]


def embedded(
    buckets: Mapping[int, int], folders: Mapping[str, PairPictures]
) -> dict[int, list[str]]:
    """Return the data URIs of as many pairs as a page can hold, by number of the pair.

    `buckets` says in which bucket each pair is. The first pair of every bucket is taken, then the
    second of every bucket, and so on. Raise UserError if a file cannot be read.
    """
    turn: Counter[int] = Counter()
    order = []
    for pair, bucket in buckets.items():
        order.append((turn[bucket], pair))
        turn[bucket] += 1
    found: dict[int, list[str]] = {}
    left = LARGEST
    for _, pair in sorted(order):
        uris = _encoded(pair, folders)
        left -= sum(map(len, uris))
        if left < 0:
            break
        found[pair] = uris
    return dict(sorted(found.items()))


def _encoded(pair: int, folders: Mapping[str, PairPictures]) -> list[str]:
    """Return a pair's data URIs: its input, each method's output in order, its truth."""
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
