"""Pictures decoded once, then read from one memory-mapped file: photographs and masks alike."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from bench.data.images.source import Picture

log = logging.getLogger(__name__)
VERSION = 2
"""Raised when decoding, resizing or the index changes, so that old caches are not used."""


class Source(NamedTuple):
    """A picture, and the SHA-256 digest of its file."""

    picture: Picture
    digest: str


class Decoded(NamedTuple):
    """A decoded picture."""

    pixels: NDArray[np.uint8]
    """Values of any shape; the file holds their bytes."""
    facts: Any = None
    """Facts that are kept next to the values, for JSON."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the pictures of one cache are decoded, and in what they differ from those of another."""

    what: str
    """Name of the pictures in messages, such as `photographs`."""
    key: tuple[Any, ...]
    """All that the values depend on: a digest of the sources, and how they are decoded."""
    size_option: str
    """Option that the size comes from, with its value, such as `--resize 256`."""
    least_bytes: int
    """Bytes of the smallest decoded picture."""
    decode: Callable[[Picture], Decoded]


@dataclass(frozen=True)
class Cached:
    """All decoded pictures of one cache."""

    facts: list[Any]
    """Facts of each picture, as JSON gives them back."""
    pixels: NDArray[np.uint8]
    """The bytes of all pictures, one after another."""


def hashed(pictures: Sequence[Picture], digests: FileDigests) -> list[Source]:
    """Return pictures with the digests of their files, which `digests` knows or reads."""
    hashes = digests.of_all(picture.path for picture in pictures)
    return [Source(p, h) for p, h in zip(pictures, hashes, strict=True)]


def digest(sources: Iterable[Source]) -> str:
    """Return the hash of all files' names and bytes."""
    total = hashlib.sha256()
    for source in sources:
        total.update(source.picture.name.encode() + bytes.fromhex(source.digest))
    return total.hexdigest()


def load(sources: Sequence[Source], recipe: Recipe, folder: Path, digests: FileDigests) -> Cached:
    """Return decoded pictures from their cache in `folder`, which is filled if it is not there.

    It is made again, with a warning, if it was damaged. A picture that cannot be decoded, that has
    changed since it was hashed, or too little space is a `UserError`, and leaves no cache.
    """
    files = CacheFiles.of(folder, recipe)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(files.lock):  # another process may be filling it
        index = files.read(recipe, digests) or _fill(sources, recipe, files, digests)
    # Mapped: worker processes share its pages, and a set may be larger than memory.
    return Cached(index["facts"], np.memmap(files.pixels, np.uint8, "r"))


@dataclass(frozen=True)
class CacheFiles:
    """The files of one cache."""

    index: Path
    """Facts of the pictures, and the sum of their pixels."""
    pixels: Path
    """The pixels of all pictures; opening many small files at every step would be slow."""
    lock: Path

    @classmethod
    def of(cls, folder: Path, recipe: Recipe) -> CacheFiles:
        """Return the files in `folder` for pictures decoded in one way."""
        facts = json.dumps([VERSION, recipe.what, *recipe.key])
        stem = folder / hashlib.sha256(facts.encode()).hexdigest()[:24]
        return cls(*(stem.with_suffix(suffix) for suffix in (".json", ".bin", ".lock")))

    def read(self, recipe: Recipe, digests: FileDigests) -> dict[str, Any] | None:
        """Return the index; None if a file is missing or damaged, which a warning names."""
        if not self.index.exists() and not self.pixels.exists():
            return None
        try:
            index: dict[str, Any] = read_summed(self.index)
            if digests.of(self.pixels) != index["pixels"]:
                raise DamagedError(f"{self.pixels} is damaged: it has another sum than its index")
        except UserError as error:
            log.warning("%s; the %s are decoded again", error, recipe.what)
            return None
        return index


def _fill(
    sources: Sequence[Source], recipe: Recipe, files: CacheFiles, digests: FileDigests
) -> dict[str, Any]:
    """Decode all pictures into the cache, and return its index."""
    _check_space(len(sources), recipe, files.pixels.parent)
    facts = []
    with replacing(files.pixels) as temporary, temporary.open("wb") as out:
        for decoded in _decoded(sources, recipe):
            facts.append(decoded.facts)
            out.write(np.ascontiguousarray(decoded.pixels).data)
    index = {
        "names": [source.picture.name for source in sources],  # for readers of the file
        "facts": facts,
        "pixels": digests.of(files.pixels),
    }
    write_summed(files.index, index)
    return index


def _decoded(sources: Sequence[Source], recipe: Recipe) -> Iterator[Decoded]:
    """Yield each picture decoded; one that was changed since it was hashed is a `UserError`."""

    def decode(source: Source) -> Decoded:
        decoded = recipe.decode(source.picture)
        path = source.picture.path
        if FileDigests().of(path) != source.digest:
            raise UserError(f"{path} has changed since it was hashed; run again with --rehash")
        return decoded

    bar = tqdm(total=len(sources), desc=f"decode {recipe.what}", unit="img")
    # A few at a time: decoded pictures must not pile up before they are written.
    with ThreadPoolExecutor() as pool, bar:
        for start in range(0, len(sources), 64):
            for result in pool.map(decode, sources[start : start + 64]):
                bar.update()
                yield result


def _check_space(count: int, recipe: Recipe, folder: Path) -> None:
    """Raise a `UserError` if the smallest pictures would not fit on the disk."""
    needed, free = count * recipe.least_bytes, shutil.disk_usage(folder).free
    if needed > free:
        option = recipe.size_option
        raise UserError(
            f"{count} {recipe.what} at {option} need at least {needed / 1e9:.1f} GB in {folder}, "
            f"where {free / 1e9:.1f} GB are free; lower {option.split()[0]}, or make space there"
        )
