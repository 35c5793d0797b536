"""Frozen pairs: which crop of which image meets which mask, the same for every method."""

from __future__ import annotations

import hashlib
import json
import logging
import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from bench.core.errors import UserError
from bench.core.files import read_json, write_json
from bench.core.seeds import rng
from bench.data.masks.buckets import Mask, bucket_of, hole_ratio, mask_hash
from bench.data.masks.family import family_of
from bench.data.masks.source import MaskSource
from bench.data.photos import Photos

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
    """Measured hole share after resize and threshold, in [0, 1]."""
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

    def sample(self, per_bucket: int) -> list[int]:
        """Return the numbers of the first pair of each bucket and of others that a seed draws.

        Each bucket has up to `per_bucket` of them. A larger sample contains the smaller ones.
        """
        chosen: list[int] = []
        for bucket in dict.fromkeys(pair.bucket for pair in self.pairs):
            first, *others = [i for i, pair in enumerate(self.pairs) if pair.bucket == bucket]
            drawn = rng(0, "pictured pairs", bucket).permutation(others).tolist()
            chosen += [first, *drawn][:per_bucket]
        return sorted(chosen)

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
        """Read what `save` wrote; a changed or foreign file is a `UserError` that names it."""
        values = read_json(path)
        if not isinstance(values, dict) or "version" not in values:
            raise UserError(f"{path} is not a manifest of test pairs: it states no version")
        if (version := values.pop("version")) != VERSION:
            raise UserError(
                f"manifest {path} has version {reprlib.repr(version)}, and this program reads "
                f"version {VERSION}; draw the pairs again, or use the release that made it"
            )
        stated = [values.pop(name, None) for name in ("hash", "mask_families")]
        try:
            manifest = cls._of_json(values)
            if [manifest.hash, manifest.mask_families] != stated:
                raise UserError(
                    "was changed after it was made: its content does not give the hash or the "
                    "mask families that it states"
                )
            manifest._check()
        except UserError as error:
            raise UserError(
                f"manifest {path} {error}; take an unchanged copy, or draw the pairs again"
            ) from error
        return manifest

    @classmethod
    def _of_json(cls, values: Mapping[str, Any]) -> Manifest:
        """Return the manifest of plain values; wrong names or types are a `UserError`."""
        pairs = values.get("pairs")
        if not isinstance(pairs, list):
            raise UserError("has no list of pairs")
        for number, pair in enumerate(pairs):
            _check_types(Pair, pair, f"pair {number}'s ")
        values = {**values, "pairs": tuple(Pair(**pair) for pair in pairs)}
        _check_types(cls, values)
        return cls(**values)

    def _check(self) -> None:
        """Raise a `UserError` for what no photographs and masks could fit."""
        if not self.pairs:
            raise UserError("has no pairs")
        if not 0 < self.size <= self.resize:
            raise UserError(f"has a size of {self.size} for a resize of {self.resize}")
        for number, pair in enumerate(self.pairs):
            if bucket_of(pair.ratio) != pair.bucket:
                bucket = reprlib.repr(pair.bucket)
                raise UserError(f"has {pair.ratio} as pair {number}'s ratio in bucket {bucket}")


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
            pairs.append(Pair(image, top, left, name, mask_hash(mask), _ratio(mask), bucket))
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


def _check_types(kind: type, values: Any, whose: str = "") -> None:
    """Raise a `UserError` for plain values that do not have a dataclass's fields and types."""
    types = _types(kind)
    if not isinstance(values, Mapping) or values.keys() != types.keys():
        raise UserError(f"does not hold exactly {whose}{', '.join(types)}")
    for name, value in values.items():
        if type(value) is not types[name]:
            raise UserError(f"has {reprlib.repr(value)} as {whose}{name}")


@cache
def _types(kind: type) -> dict[str, type]:
    """Return the types of a dataclass's fields, which strings name until they are asked for."""
    return {name: get_origin(hint) or hint for name, hint in get_type_hints(kind).items()}


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
        for number, pair in enumerate(self.manifest.pairs):
            self._check_crop(number, pair)

    def __len__(self) -> int:
        return len(self.manifest.pairs)

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return images [B,3,S,S] in 0..255 and masks [B,1,S,S] of {0, 1}, 1 = known, all uint8."""
        images, masks = zip(*(self._pair(self.manifest.pairs[i]) for i in indices), strict=True)
        return (
            torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2),
            torch.from_numpy(np.stack(masks))[:, None],
        )

    def check_masks(self) -> None:
        """Load every mask once, so that a wrong one is told at once and not after a training."""
        for pair in tqdm(self.manifest.pairs, desc="check masks", unit="mask", delay=2):
            self._mask(pair)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.photos.names)}

    def _check_crop(self, number: int, pair: Pair) -> None:
        """Raise a `UserError` for a pair whose crop is no part of a photograph."""
        if pair.image not in self._index:
            raise UserError(
                f"pair {number} of the manifest: no test image has the name "
                f"{reprlib.repr(pair.image)}; take an unchanged manifest, or draw the pairs again"
            )
        height, width = self.photos.shapes[self._index[pair.image]]
        most = height - self.manifest.size, width - self.manifest.size
        if not (0 <= pair.top <= most[0] and 0 <= pair.left <= most[1]):
            raise UserError(
                f"pair {number} of the manifest: a crop of {self.manifest.size} pixels at top "
                f"{pair.top}, left {pair.left} is not inside image {pair.image} of "
                f"{width}x{height}; take an unchanged manifest, or draw the pairs again"
            )

    def _pair(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        size = self.manifest.size
        photo = self.photos[self._index[pair.image]]
        return photo[pair.top : pair.top + size, pair.left : pair.left + size], self._mask(pair)

    def _mask(self, pair: Pair) -> Mask:
        mask = self.masks.load(pair.mask, self.manifest.size)
        if (mask_hash(mask), _ratio(mask)) != (pair.mask_hash, pair.ratio):
            raise UserError(
                f"mask {pair.mask} is not the one the manifest was made from; "
                "check --test-masks, --polarity and --data-root, or draw the pairs again"
            )
        return mask


def _ratio(mask: Mask) -> float:
    """Return a mask's hole ratio, a multiple of 1/(H·W), without float noise."""
    return round(hole_ratio(mask), 9)
