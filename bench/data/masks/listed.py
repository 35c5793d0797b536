"""Masks in a list: how training draws from it, and how test buckets are filled."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from tqdm import tqdm

from bench.core.errors import UserError
from bench.core.seeds import rng
from bench.data.masks.buckets import BUCKETS, Mask, bucket_label, bucket_of, hole_ratio, within

log = logging.getLogger(__name__)
Claim = tuple[str, tuple[float, float], float]
"""A mask's name, the range of hole ratios it stands for, and the measured ratio."""


class MaskList(ABC):
    """The base of mask sources that can list their masks; a `MaskSource`.

    Required are `name`, `digest`, `names` and `read`; optional is `claimed`. Training draws from
    the list, and test buckets are filled in a seeded order of it.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The name in manifests and errors. It holds no path."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """Identify the masks' pixels, wherever they lie; this is part of a training's identity."""

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """The name of each mask, by index."""

    @abstractmethod
    def read(self, index: int, size: int) -> Mask:
        """Return one mask of the list, [size,size], 1 = known."""

    def claimed(self, index: int) -> tuple[float, float] | None:
        """Return the range (low, high] of hole ratios that a mask's name stands for, if it does.

        The measured ratio decides; names that are wrong are counted in a warning.
        """
        return None

    def training(self, size: int, ratio: tuple[float, float], seed: int, position: int) -> Mask:
        """Return a mask drawn at random and perhaps mirrored; it keeps the hole ratio it has."""
        stream = rng(seed, "training masks", position)
        mask = self.read(int(stream.integers(len(self.names))), size)
        for axis in (0, 1):  # unlike photographs, masks have no upper side
            if stream.random() < 0.5:
                mask = np.flip(mask, axis)
        return np.ascontiguousarray(mask)

    def by_bucket(
        self, size: int, seed: int, purpose: str, count: int
    ) -> dict[str, list[tuple[str, Mask]]]:
        """Return masks in a seeded order, each in the bucket of its measured ratio.

        Reading stops when all buckets hold `count`: a large set is not measured whole.
        """
        found: dict[str, list[tuple[str, Mask]]] = {bucket_label(b): [] for b in BUCKETS}
        claims: list[Claim] = []
        order = rng(seed, f"{purpose} mask files").permutation(len(self.names))
        for index in tqdm(order.tolist(), desc="measure masks", unit="mask"):
            mask = self.read(index, size)
            ratio = hole_ratio(mask)
            # The measured ratio decides, since resizing moves masks over the borders of buckets.
            if (bounds := self.claimed(index)) is not None:
                claims.append((self.names[index], bounds, ratio))
            row = found.get(bucket_of(ratio) or "", [])
            if len(row) < count:
                row.append((self.names[index], mask))
            if all(len(row) == count for row in found.values()):
                break
        _warn_of_wrong_claims(claims, f"{self.name}, at {size} px")
        return found

    def load(self, name: str, size: int) -> Mask:
        """Return the mask of that name; an unknown name is a `UserError`."""
        if name not in self._index:
            raise UserError(
                f"mask {name} of the manifest is not in {self.name}; "
                "name its source by --test-masks"
            )
        return self.read(self._index[name], size)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}


def _warn_of_wrong_claims(claims: Sequence[Claim], what: str) -> None:
    wrong = [claim for claim in claims if not within(claim[2], claim[1])]
    if wrong:
        examples = "; ".join(
            f"{name} claims {bucket_label(bounds)}, has {ratio:.5f}"
            for name, bounds, ratio in wrong[:3]
        )
        log.warning(
            "%s: %d of the %d masks looked at have another hole ratio than their number says "
            "(%s); the measured ratio decides",
            what, len(wrong), len(claims), examples,
        )  # fmt: skip
