"""Where masks come from: generated families, or files whose polarity is declared."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image
from tqdm import tqdm

from bench.data.images import open_image, to_rgb
from bench.data.masks import (
    BUCKETS,
    FAMILIES,
    Mask,
    bucket_label,
    bucket_of,
    families,
    generate,
    hole_ratio,
)
from bench.data.sources import Picture, list_folder
from bench.errors import UserError
from bench.seeds import rng

log = logging.getLogger(__name__)
MOSTLY_HOLE = 0.6
"""A mean hole ratio above this suggests that the polarity is the other one."""


class MaskSource(Protocol):
    """Masks for training by position, and for testing by bucket and by name."""

    @property
    def name(self) -> str:
        """What records and errors call it."""

    @property
    def digest(self) -> str:
        """What the masks are, wherever they lie."""

    def training(self, size: int, ratio: tuple[float, float], seed: int, position: int) -> Mask:
        """The mask at one position of the training sequence."""

    def by_bucket(
        self, size: int, seed: int, purpose: str, count: int
    ) -> dict[str, list[tuple[str, Mask]]]:
        """Up to `count` named masks per bucket label."""

    def load(self, name: str, size: int) -> Mask:
        """The mask of that name."""


def mask_hash(mask: Mask) -> str:
    """Digest of a mask's pixels and shape."""
    return hashlib.sha256(repr(mask.shape).encode() + np.packbits(mask).tobytes()).hexdigest()[:16]


def resolve(spec: str, polarity: str) -> MaskSource:
    """`shapes,strokes`, `masks:PATH` (with a polarity) or `nvidia:PATH` (white is hole)."""
    kind, _, rest = spec.partition(":")
    if kind == "nvidia" and rest:
        return FileMasks.open(Path(rest).expanduser(), polarity or "hole-white")
    if kind == "masks" and rest:
        if not polarity:
            raise UserError(
                f"masks:{rest} does not say what the hole is; "
                "add --polarity hole-white or --polarity hole-black"
            )
        return FileMasks.open(Path(rest).expanduser(), polarity)
    return GeneratedMasks(tuple(families(spec)))


@dataclass(frozen=True)
class GeneratedMasks:
    """Masks drawn from generated families."""

    families: tuple[str, ...]

    @property
    def name(self) -> str:
        """The families, comma-separated."""
        return ",".join(self.families)

    @property
    def digest(self) -> str:
        """The families define the masks."""
        return self.name

    def training(self, size: int, ratio: tuple[float, float], seed: int, position: int) -> Mask:
        """A mask with its hole ratio in `ratio`."""
        return generate(self.families, size, ratio, seed, "training masks", position)

    def by_bucket(
        self, size: int, seed: int, purpose: str, count: int
    ) -> dict[str, list[tuple[str, Mask]]]:
        """`count` masks per bucket, each named by what it is made from."""
        names = {
            bucket_label(bucket): [f"{self.name}/{purpose}/{seed}/{b}/{k}" for k in range(count)]
            for b, bucket in enumerate(BUCKETS)
        }
        return {b: [(name, self.load(name, size)) for name in row] for b, row in names.items()}

    def load(self, name: str, size: int) -> Mask:
        """The mask of a name given by `by_bucket`."""
        parts = name.split("/")
        if len(parts) != 5 or not set(parts[0].split(",")) <= FAMILIES.keys():
            raise UserError(
                f"mask {name} of the manifest is a file; name its folder by --test-masks"
            )
        drawn_from, purpose, seed, bucket, index = parts
        ratio = BUCKETS[int(bucket)]
        return generate(
            families(drawn_from), size, ratio, int(seed), f"{purpose}{bucket}", int(index)
        )


@dataclass(frozen=True)
class FileMasks:
    """Mask pictures below a folder."""

    files: tuple[Picture, ...]
    hole_white: bool

    @property
    def name(self) -> str:
        """How many files, and their polarity."""
        return f"{len(self.files)} files, hole {'white' if self.hole_white else 'black'}"

    @cached_property
    def digest(self) -> str:
        """Hash of the files' names and sizes."""
        facts = [(f.name, f.path.stat().st_size) for f in self.files]
        return hashlib.sha256(repr((self.hole_white, facts)).encode()).hexdigest()[:16]

    @classmethod
    def open(cls, folder: Path, polarity: str) -> FileMasks:
        """All masks below `folder`; warns where they look as if the polarity were the other."""
        source = cls(tuple(list_folder(folder)), polarity == "hole-white")
        some = source.files[:: max(1, len(source.files) // 24)]
        warn_mostly_hole(
            float(np.mean([hole_ratio(read_mask(p.path, source.hole_white)) for p in some])),
            str(folder),
            source.hole_white,
        )
        return source

    def training(self, size: int, ratio: tuple[float, float], seed: int, position: int) -> Mask:
        """A file drawn at random and perhaps mirrored; files keep the ratios they have."""
        stream = rng(seed, "training masks", position)
        mask = read_mask(self.files[stream.integers(len(self.files))].path, self.hole_white, size)
        for axis in (0, 1):
            if stream.random() < 0.5:
                mask = np.flip(mask, axis)
        return np.ascontiguousarray(mask)

    def by_bucket(
        self, size: int, seed: int, purpose: str, count: int
    ) -> dict[str, list[tuple[str, Mask]]]:
        """Files in seeded order, each in the bucket of its measured ratio, until all are full."""
        found: dict[str, list[tuple[str, Mask]]] = {bucket_label(b): [] for b in BUCKETS}
        for file in tqdm(self._shuffled(seed, purpose), desc="measure masks", unit="mask"):
            mask = read_mask(file.path, self.hole_white, size)
            row = found.get(bucket_of(hole_ratio(mask)) or "", [])
            if len(row) < count:
                row.append((file.name, mask))
            if all(len(row) == count for row in found.values()):
                break
        return found

    def load(self, name: str, size: int) -> Mask:
        """The mask of that relative file name."""
        for file in self.files:
            if file.name == name:
                return read_mask(file.path, self.hole_white, size)
        raise UserError(f"mask {name} of the manifest is not in the folder given by --test-masks")

    def _shuffled(self, seed: int, purpose: str) -> Iterator[Picture]:
        order = rng(seed, f"{purpose} mask files").permutation(len(self.files))
        return (self.files[i] for i in order)


def read_mask(path: Path, hole_white: bool, size: int | None = None) -> Mask:
    """A mask picture as {0, 1}, 1 = known: nearest resize to `size`, then a threshold at half."""
    picture = to_rgb(open_image(path)).convert("L")
    if size is not None and picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.NEAREST)
    known: Mask = ((np.asarray(picture) >= 128) != hole_white).astype(np.uint8)
    return known


def warn_mostly_hole(ratio: float, what: str, hole_white: bool) -> None:
    """Say so where a mean hole ratio suggests the wrong polarity, and name the switch."""
    if ratio > MOSTLY_HOLE:
        now, other = ("white", "black") if hole_white else ("black", "white")
        log.warning(
            "%s: %.0f %% is hole if the hole is %s; if that is wrong, use --polarity hole-%s",
            what, 100 * ratio, now, other,
        )  # fmt: skip
