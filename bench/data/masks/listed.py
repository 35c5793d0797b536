"""Masks that stand in a list: how training draws from it and how test buckets are filled."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from tqdm import tqdm

from bench.core.errors import UserError
from bench.core.seeds import rng
from bench.data.masks.generated import BUCKETS, Mask, bucket_label, bucket_of, hole_ratio, within

log = logging.getLogger(__name__)
Claim = tuple[str, tuple[float, float], float]
"""A mask's name, the range of hole ratios it stands for, and the measured ratio."""


class MaskList(ABC):
    """Masks that can be listed: training draws from the list, buckets are filled in its order."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What records and errors call it."""

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """One name for each mask."""

    @abstractmethod
    def read(self, index: int, size: int) -> Mask:
        """One mask of the list, [size,size]."""

    def claimed(self, index: int) -> tuple[float, float] | None:
        """The range of hole ratios that the mask's name stands for, if it stands for one."""
        return None

    def training(self, size: int, ratio: tuple[float, float], seed: int, position: int) -> Mask:
        """A mask drawn at random and perhaps mirrored; the masks keep the ratios they have."""
        stream = rng(seed, "training masks", position)
        mask = self.read(int(stream.integers(len(self.names))), size)
        for axis in (0, 1):
            if stream.random() < 0.5:
                mask = np.flip(mask, axis)
        return np.ascontiguousarray(mask)

    def by_bucket(
        self, size: int, seed: int, purpose: str, count: int
    ) -> dict[str, list[tuple[str, Mask]]]:
        """Masks in seeded order, each in the bucket of its measured ratio, until all are full."""
        found: dict[str, list[tuple[str, Mask]]] = {bucket_label(b): [] for b in BUCKETS}
        claims: list[Claim] = []
        order = rng(seed, f"{purpose} mask files").permutation(len(self.names))
        for index in tqdm(order.tolist(), desc="measure masks", unit="mask"):
            mask = self.read(index, size)
            ratio = hole_ratio(mask)
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
        """The mask of that name."""
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
