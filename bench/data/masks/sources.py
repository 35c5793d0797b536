"""Where masks come from: generated families, or lists of files whose polarity is declared."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from PIL import Image

from bench.core.errors import UserError
from bench.data.images.decode import open_image, to_rgb
from bench.data.images.sources import Picture, Split, list_folder
from bench.data.masks.generated import (
    BUCKETS,
    FAMILIES,
    Mask,
    bucket_label,
    families,
    generate,
    hole_ratio,
)
from bench.data.masks.listed import MaskList

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


def resolve(spec: str, polarity: str, root: Path, split: Split = "train") -> MaskSource:
    """The masks of `shapes,strokes`, `masks:PATH` (with a polarity), or a named set.

    `nvidia`, `qd-imd` and `paper` lie under `root`, or at the PATH of `nvidia:PATH` and the like;
    their polarity goes with the name. `split` matters to QD-IMD alone.
    """
    from bench.data.masks import published as named_masks

    kind, _, rest = spec.partition(":")
    if kind in named_masks.FOLDERS and (rest or spec == kind):
        folder = Path(rest).expanduser() if rest else root / named_masks.FOLDERS[kind]
        return named_masks.open_set(kind, folder, polarity, split)
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
                f"mask {name} of the manifest is not a generated one; "
                "name its source by --test-masks"
            )
        drawn_from, purpose, seed, bucket, index = parts
        ratio = BUCKETS[int(bucket)]
        return generate(
            families(drawn_from), size, ratio, int(seed), f"{purpose}{bucket}", int(index)
        )


@dataclass(frozen=True)
class FileMasks(MaskList):
    """Mask pictures below a folder."""

    files: tuple[Picture, ...]
    hole_white: bool

    @property
    def name(self) -> str:
        """How many files, and their polarity."""
        return f"{len(self.files)} files, hole {'white' if self.hole_white else 'black'}"

    @cached_property
    def names(self) -> Sequence[str]:
        """The files' names relative to the folder."""
        return [file.name for file in self.files]

    @cached_property
    def digest(self) -> str:
        """Hash of the files' names and sizes."""
        facts = [(f.name, f.path.stat().st_size) for f in self.files]
        return hashlib.sha256(repr((self.hole_white, facts)).encode()).hexdigest()[:16]

    @classmethod
    def open(cls, folder: Path, polarity: str) -> Self:
        """All masks below `folder`."""
        return cls.of(list_folder(folder), polarity, str(folder))

    @classmethod
    def of(cls, files: Sequence[Picture], polarity: str, what: str) -> Self:
        """These files; warns where they look as if the polarity were the other."""
        source = cls(tuple(files), polarity == "hole-white")
        some = source.files[:: max(1, len(source.files) // 24)]
        warn_mostly_hole(
            float(np.mean([hole_ratio(read_mask(p.path, source.hole_white)) for p in some])),
            what,
            source.hole_white,
        )
        return source

    def read(self, index: int, size: int) -> Mask:
        """The file as a mask, resized."""
        return read_mask(self.files[index].path, self.hole_white, size)


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
