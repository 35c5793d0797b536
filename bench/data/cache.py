"""Photographs decoded and resized once, then read from one memory-mapped file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from tqdm import tqdm

from bench.core.errors import UserError
from bench.core.files import read_json, replacing, write_json
from bench.data.images.decode import Pixels, read_rgb, resize_shorter
from bench.data.images.source import Picture

VERSION = 1
"""Raised when decoding or resizing changes, so that old caches are not used."""


@dataclass(frozen=True)
class Photos:
    """Resized photographs by index; `photos[i]` is a read-only [H,W,3] view, uint8."""

    names: list[str]
    resize: int
    """The length their shorter sides were scaled to."""
    shapes: list[tuple[int, int]]
    digest: str
    """Hash of the files' names and bytes: what the data is, wherever it lies."""
    pixels: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Pixels:
        height, width = self.shapes[index]
        start = self.offsets[index]
        return self.pixels[start : start + height * width * 3].reshape(height, width, 3)


def load(pictures: Sequence[Picture], resize: int, size: int, folder: Path) -> Photos:
    """Return photographs with their shorter side scaled to `resize`, through a cache in `folder`.

    A photograph with a side shorter than the crop `size` is a `UserError`: scaling it up to fill
    the crop would measure the scaling.
    """
    # One file for all photographs: opening many small ones at every step would be slow.
    stem = folder / _key(pictures, resize)
    index_file, pixel_file = stem.with_suffix(".json"), stem.with_suffix(".bin")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(stem.with_suffix(".lock")):  # another process may be filling it
        if not index_file.exists():
            _fill(pictures, resize, index_file, pixel_file)
    index = read_json(index_file)
    for name, shortest in zip(index["names"], index["shortest_sides"], strict=True):
        if shortest < size:
            raise UserError(
                f"image {name} is {shortest} pixels on its shorter side, less than the crop of "
                f"{size}; remove it or lower --size"
            )
    shapes = [(h, w) for h, w in index["shapes"]]
    lengths = [h * w * 3 for h, w in shapes]
    return Photos(
        index["names"],
        resize,
        shapes,
        index["digest"],
        # Mapped: worker processes share its pages, and a set may be larger than memory.
        np.memmap(pixel_file, np.uint8, "r"),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )


def _fill(pictures: Sequence[Picture], resize: int, index_file: Path, pixel_file: Path) -> None:
    digest = hashlib.sha256()
    shapes, shortest_sides = [], []
    with replacing(pixel_file) as temporary, temporary.open("wb") as out:
        for picture, (file_hash, shortest, pixels) in zip(
            pictures, _decoded(pictures, resize), strict=True
        ):
            digest.update(picture.name.encode() + file_hash)
            shapes.append(pixels.shape[:2])
            shortest_sides.append(shortest)
            out.write(np.ascontiguousarray(pixels).data)
    write_json(
        index_file,
        {
            "names": [p.name for p in pictures],
            "shapes": shapes,
            "shortest_sides": shortest_sides,
            "digest": digest.hexdigest(),
        },
    )


def _decoded(pictures: Sequence[Picture], resize: int) -> Iterator[tuple[bytes, int, Pixels]]:
    def decode(picture: Picture) -> tuple[bytes, int, Pixels]:
        pixels = read_rgb(picture.path)
        file_hash = hashlib.sha256(picture.path.read_bytes()).digest()
        return file_hash, min(pixels.shape[:2]), resize_shorter(pixels, resize)

    # A few at a time: decoded photographs must not pile up before they are written.
    with ThreadPoolExecutor() as pool, tqdm(total=len(pictures), desc="decode", unit="img") as bar:
        for start in range(0, len(pictures), 64):
            for result in pool.map(decode, pictures[start : start + 64]):
                bar.update()
                yield result


def _key(pictures: Sequence[Picture], resize: int) -> str:
    # Times in nanoseconds: a file written twice within a second is noticed.
    stats = [(p.name, str(p.path.resolve()), p.path.stat()) for p in pictures]
    facts = [VERSION, resize, [(n, p, s.st_size, s.st_mtime_ns) for n, p, s in stats]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]
