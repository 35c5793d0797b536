"""Photographs decoded and resized once, then read from one memory-mapped file."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from tqdm import tqdm

from bench.core.digests import FileDigests, read_summed, write_summed
from bench.core.errors import UserError
from bench.core.files import replacing
from bench.core.sums import DamagedError
from bench.data.images.decode import Pixels, read_rgb, resize_shorter
from bench.data.images.source import Picture

log = logging.getLogger(__name__)
VERSION = 1
"""Raised when decoding, resizing or the index changes, so that old caches are not used."""


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


def load(
    pictures: Sequence[Picture],
    resize: int,
    size: int,
    folder: Path,
    digests: FileDigests | None = None,
) -> Photos:
    """Return photographs with their shorter side scaled to `resize`, through a cache in `folder`.

    The cache is that of the files' bytes, which `digests` knows or reads, and is made again if it
    was damaged. A photograph with a side shorter than the crop `size` is a `UserError`: scaling it
    up to fill the crop would measure the scaling.
    """
    digests = digests or FileDigests()
    hashes = digests.of_all(picture.path for picture in pictures)
    sources = [Source(p, h) for p, h in zip(pictures, hashes, strict=True)]
    digest = _digest(sources)
    files = CacheFiles.of(folder, digest, resize)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(files.lock):  # another process may be filling it
        index = files.read(digests) or _fill(sources, resize, size, files, digests)
    for picture, shortest in zip(pictures, index["shortest_sides"], strict=True):
        _check_side(picture.name, shortest, size)
    shapes = [(h, w) for h, w in index["shapes"]]
    lengths = [h * w * 3 for h, w in shapes]
    return Photos(
        [picture.name for picture in pictures],
        resize,
        shapes,
        digest,
        # Mapped: worker processes share its pages, and a set may be larger than memory.
        np.memmap(files.pixels, np.uint8, "r"),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )


class Source(NamedTuple):
    """A picture, and the SHA-256 digest of its file."""

    picture: Picture
    digest: str


@dataclass(frozen=True)
class CacheFiles:
    """The files of one cache."""

    index: Path
    """Shapes of the photographs, and the sum of their pixels."""
    pixels: Path
    """The pixels of all photographs; opening many small files at every step would be slow."""
    lock: Path

    @classmethod
    def of(cls, folder: Path, digest: str, resize: int) -> CacheFiles:
        """Return the files in `folder` for photographs of one digest and size."""
        facts = json.dumps([VERSION, resize, digest])
        stem = folder / hashlib.sha256(facts.encode()).hexdigest()[:24]
        return cls(*(stem.with_suffix(suffix) for suffix in (".json", ".bin", ".lock")))

    def read(self, digests: FileDigests) -> dict[str, Any] | None:
        """Return the index; None if a file is missing or damaged, which a warning names."""
        if not self.index.exists() and not self.pixels.exists():
            return None
        try:
            index: dict[str, Any] = read_summed(self.index)
            if digests.of(self.pixels) != index["pixels"]:
                raise DamagedError(f"{self.pixels} is damaged: it has another sum than its index")
        except UserError as error:
            log.warning("%s; the photographs are decoded again", error)
            return None
        return index


def _fill(
    sources: Sequence[Source], resize: int, size: int, files: CacheFiles, digests: FileDigests
) -> dict[str, Any]:
    """Decode all photographs into the cache, and return its index."""
    _check_space(len(sources), resize, files.pixels.parent)
    shapes, shortest_sides = [], []
    with replacing(files.pixels) as temporary, temporary.open("wb") as out:
        for shortest, pixels in _decoded(sources, resize, size):
            shapes.append(pixels.shape[:2])
            shortest_sides.append(shortest)
            out.write(np.ascontiguousarray(pixels).data)
    index = {
        "names": [source.picture.name for source in sources],  # for readers of the file
        "shapes": shapes,
        "shortest_sides": shortest_sides,
        "pixels": digests.of(files.pixels),
    }
    write_summed(files.index, index)
    return index


def _decoded(sources: Sequence[Source], resize: int, size: int) -> Iterator[tuple[int, Pixels]]:
    """Yield each photograph's shorter side, and its resized pixels."""

    def decode(source: Source) -> tuple[int, Pixels]:
        name, path = source.picture
        pixels = read_rgb(path)
        if FileDigests().of(path) != source.digest:
            raise UserError(f"{path} has changed since it was hashed; run again with --rehash")
        shortest = min(pixels.shape[:2])
        # Before it is resized: a line of pixels would become a very long picture.
        _check_side(name, shortest, size)
        return shortest, resize_shorter(pixels, resize)

    # A few at a time: decoded photographs must not pile up before they are written.
    with ThreadPoolExecutor() as pool, tqdm(total=len(sources), desc="decode", unit="img") as bar:
        for start in range(0, len(sources), 64):
            for result in pool.map(decode, sources[start : start + 64]):
                bar.update()
                yield result


def _check_side(name: str, shortest: int, size: int) -> None:
    """Raise a `UserError` for a photograph that is smaller than the crop."""
    if shortest < size:
        raise UserError(
            f"image {name} is {shortest} pixels on its shorter side, less than the crop of "
            f"{size}; remove it or lower --size"
        )


def _check_space(count: int, resize: int, folder: Path) -> None:
    """Raise a `UserError` if square photographs, the smallest, would not fit on the disk."""
    needed, free = count * resize**2 * 3, shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{count} photographs at --resize {resize} need at least {needed / 1e9:.1f} GB in "
            f"{folder}, where {free / 1e9:.1f} GB are free; lower --resize, or make space there"
        )


def _digest(sources: Sequence[Source]) -> str:
    """Return the hash of all files' names and bytes."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.picture.name.encode() + bytes.fromhex(source.digest))
    return digest.hexdigest()
