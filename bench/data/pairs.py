"""Frozen pairs: which crop of which image meets which mask, the same for every method."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.core.errors import UserError
from bench.core.files import read_json, write_json
from bench.core.seeds import rng
from bench.data.cache import Photos
from bench.data.masks.buckets import hole_ratio, mask_hash
from bench.data.masks.family import family_of
from bench.data.masks.source import MaskSource

log = logging.getLogger(__name__)
VERSION = 2
"""Version of the file; 2 has `mask_families`, and draws `paper` masks by another rule."""


@dataclass(frozen=True)
class Pair:
    """A crop of an image, and the mask that makes its hole."""

    image: str
    top: int
    left: int
    mask: str
    mask_hash: str
    ratio: float
    """Measured hole share after resize and threshold."""
    bucket: str


@dataclass(frozen=True)
class Manifest:
    """All pairs of a test or a validation, with what they were drawn from."""

    size: int
    resize: int
    image_digest: str
    mask_source: str
    pairs: tuple[Pair, ...]

    @cached_property
    def hash(self) -> str:
        """Digest of everything that defines the pairs: equal hashes mean equal pixels."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]

    @cached_property
    def first_of_buckets(self) -> list[int]:
        """Numbers of the first pair of each bucket, for pictures where one must do."""
        buckets = [pair.bucket for pair in self.pairs]
        return sorted(buckets.index(bucket) for bucket in dict.fromkeys(buckets))

    @cached_property
    def mask_families(self) -> dict[str, dict[str, int]]:
        """Numbers of pairs by bucket and mask family, such as `{"(0.1, 0.2]": {"shapes": 12}}`.

        Buckets stand in their order, families by name; masks that were not drawn are `files`.
        """
        counts: dict[str, Counter[str]] = {}
        for pair in self.pairs:
            counts.setdefault(pair.bucket, Counter())[family_of(pair.mask)] += 1
        return {bucket: dict(sorted(families.items())) for bucket, families in counts.items()}

    def save(self, path: Path) -> None:
        """Write as JSON, with the mask families for readers of the file."""
        stated = {"version": VERSION, "hash": self.hash, "mask_families": self.mask_families}
        write_json(path, {**stated, **asdict(self)})

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read what `save` wrote; a changed or foreign file is a `UserError`."""
        values = read_json(path)
        try:
            version, stated = values.pop("version"), values.pop("hash")
            families = values.pop("mask_families", None)
        except (AttributeError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not a manifest of test pairs: no {error}") from error
        if version != VERSION:
            raise UserError(
                f"manifest {path} has version {version}, and this program reads version {VERSION}; "
                "draw the pairs again, or use the release that made it"
            )
        try:
            manifest = cls(**{**values, "pairs": tuple(Pair(**p) for p in values["pairs"])})
        except (KeyError, TypeError) as error:
            raise UserError(f"{path} is not a manifest of test pairs: {error}") from error
        if (manifest.hash, manifest.mask_families) != (stated, families):
            raise UserError(
                f"manifest {path} was changed after it was made: its content does not give the "
                "hash or the mask families that it states; take an unchanged copy, or draw the "
                "pairs again"
            )
        return manifest


def make(
    photos: Photos,
    masks: MaskSource,
    size: int,
    resize: int,
    per_bucket: int,
    seed: int,
    purpose: str,
) -> Manifest:
    """Draw `per_bucket` pairs in every bucket.

    Pair k has the same crop in each bucket, so that buckets differ in their masks alone. A bucket
    that no mask falls in is an error; too few masks are used again with other crops.
    """
    # Drawn once, outside the loop over buckets: pair k has one crop in all of them.
    crops = [_crop(photos, size, seed, purpose, k) for k in range(per_bucket)]
    pairs = []
    for bucket, found in masks.by_bucket(size, seed, purpose, per_bucket).items():
        if not found:
            raise UserError(
                f"no mask of {masks.name} has a hole ratio in {bucket}; "
                "add masks of that size, check --polarity, or use generated masks"
            )
        if len(found) < per_bucket:
            log.warning(
                "bucket %s: %d masks for %d pairs, used again", bucket, len(found), per_bucket
            )
        for k, (image, top, left) in enumerate(crops):
            name, mask = found[k % len(found)]
            ratio = round(hole_ratio(mask), 9)  # a multiple of 1/(H·W), without float noise
            pairs.append(Pair(image, top, left, name, mask_hash(mask), ratio, bucket))
    return Manifest(size, resize, photos.digest, masks.name, tuple(pairs))


def _crop(photos: Photos, size: int, seed: int, purpose: str, k: int) -> tuple[str, int, int]:
    """Draw crop `k`: name, top and left. Each image is used once before any is used again."""
    order = rng(seed, f"{purpose} images", k // len(photos)).permutation(len(photos))
    index = int(order[k % len(photos)])
    height, width = photos.shapes[index]
    stream = rng(seed, f"{purpose} crops", k)
    return (
        photos.names[index],
        int(stream.integers(height - size + 1)),
        int(stream.integers(width - size + 1)),
    )


@dataclass(frozen=True)
class FrozenPairs:
    """The pixels of a manifest's pairs; photographs other than its own are a `UserError`."""

    manifest: Manifest
    photos: Photos
    masks: MaskSource

    def __post_init__(self) -> None:
        if self.photos.resize != self.manifest.resize:
            raise UserError(
                f"the manifest was made with --resize {self.manifest.resize}, "
                f"not {self.photos.resize}; use its value"
            )
        if self.photos.digest != self.manifest.image_digest:
            raise UserError(
                "the test images are not those the manifest was made from "
                f"({self.photos.digest[:12]}, not {self.manifest.image_digest[:12]}); "
                "check --test-images and --data-root"
            )

    def __len__(self) -> int:
        return len(self.manifest.pairs)

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return images [B,3,S,S] in 0..255 and masks [B,1,S,S] of {0, 1}, 1 = known, all uint8."""
        images, masks = zip(*(self._pair(self.manifest.pairs[i]) for i in indices), strict=True)
        return (
            torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2),
            torch.from_numpy(np.stack(masks))[:, None],
        )

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.photos.names)}

    def _pair(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        size = self.manifest.size
        photo = self.photos[self._index[pair.image]]
        mask = self.masks.load(pair.mask, size)
        if mask_hash(mask) != pair.mask_hash:
            raise UserError(f"mask {pair.mask} is not the one the manifest was made from")
        return photo[pair.top : pair.top + size, pair.left : pair.left + size], mask
