"""Mask families: masks that are drawn to a wanted hole ratio, and how a family is defined."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from bench.core.errors import UserError
from bench.core.registry import Registry
from bench.core.seeds import rng
from bench.data.masks.buckets import BUCKETS, Mask, bucket_label

DrawMask = Callable[[np.random.Generator, int, int], Mask]
"""Function `(stream, size, holes)` that draws a mask [size,size] with about `holes` hole pixels."""
DRAWN = re.compile(r"([^/]+)/([^/]+)/([0-9]{1,19})/([0-9])/([0-9]{1,19})(?:/([^/]+))?")
"""Names of drawn masks: families, purpose, seed, number of the bucket and index, and for a mix the
family that drew this mask."""
ATTEMPTS = 1000
"""Draws of one mask before its family is said not to reach the wanted hole ratio."""


@dataclass(frozen=True, kw_only=True)
class MaskFamily:
    """Masks that are drawn, by a name; `mask_family` defines one."""

    name: str
    summary: str
    draw: DrawMask


REGISTRY: Registry[MaskFamily] = Registry("mask family", ["bench.data.masks"], "lbam_bench.masks")


def mask_family(name: str, summary: str) -> Callable[[DrawMask], DrawMask]:
    """Define a mask family by the function that draws one mask.

    All randomness must come from `stream`: mask number 17 is then the same whoever asks for it and
    in whichever batch. A mask whose hole misses the wanted range of ratios is drawn again. This
    file, `bench/data/masks/stripes.py`, makes `--masks stripes` work:

        import numpy as np

        from bench.data.masks.family import mask_family

        @mask_family("stripes", "one horizontal stripe")
        def stripes(stream, size, holes):
            mask, height = np.ones((size, size), np.uint8), round(holes / size)
            top = stream.integers(size - height + 1)
            mask[top : top + height] = 0
            return mask
    """

    def define(draw: DrawMask) -> DrawMask:
        REGISTRY.add(name, MaskFamily(name=name, summary=summary, draw=draw))
        return draw

    return define


def family_of(name: str) -> str:
    """Return the family that drew a mask, by the mask's name, or `files`.

    Drawn masks have names such as `shapes/test/0/2/17`, or `shapes,strokes/test/0/2/17/strokes` in
    a mix, which `GeneratedMasks.by_bucket` gives. Manifests of older versions do not name the
    family of a mix: there it is the whole mix, `shapes,strokes`. Files have an extension.
    """
    drawn = _parts(name)
    return drawn[6] or drawn[1] if drawn else "files"


def _parts(name: str) -> re.Match[str] | None:
    """Return the parts of a drawn mask's name, as DRAWN has them; None for a file."""
    drawn = DRAWN.fullmatch(name)
    return drawn if drawn and drawn[6] in (None, *drawn[1].split(",")) else None


def generate(
    families: Sequence[str],
    size: int,
    ratio: tuple[float, float],
    seed: int,
    purpose: str,
    index: int,
) -> Mask:
    """Draw mask number `index` of a stream: [size,size], its hole ratio in (low, high].

    The family is drawn from `families`, the wanted ratio uniformly from the range. A range that the
    families do not reach is a `UserError`.
    """
    return _generate(families, size, ratio, seed, purpose, index)[1]


def _generate(
    families: Sequence[str],
    size: int,
    ratio: tuple[float, float],
    seed: int,
    purpose: str,
    index: int,
) -> tuple[str, Mask]:
    """Return what `generate` does, after the family that drew it."""
    pixels = size * size
    low, high = int(np.floor(ratio[0] * pixels + 1e-6)) + 1, int(np.floor(ratio[1] * pixels + 1e-6))
    for attempt in range(ATTEMPTS):
        # A stream for each attempt: how often another mask was drawn again does not matter here.
        stream = rng(seed, purpose, index, attempt)
        family = families[int(stream.integers(len(families)))]
        wanted = int(stream.integers(low, high + 1))
        mask = _drawing(family)(stream, size, wanted)
        if low <= pixels - np.count_nonzero(mask) <= high:
            return family, mask
    raise UserError(
        f"no {','.join(families)} mask of {size} pixels was found with a hole ratio in "
        f"{bucket_label(ratio)}; choose another --ratio or other masks"
    )


@dataclass(frozen=True)
class GeneratedMasks:
    """Masks drawn from one or more families; a `MaskSource`."""

    families: tuple[str, ...]

    @property
    def name(self) -> str:
        """The families, comma-separated."""
        return ",".join(self.families)

    @property
    def digest(self) -> str:
        """The families: their names define the masks, and a fingerprint covers their code."""
        return self.name

    def training(self, size: int, ratio: tuple[float, float], seed: int, position: int) -> Mask:
        """Return the mask at one position of the training sequence, its hole ratio in `ratio`."""
        return generate(self.families, size, ratio, seed, "training masks", position)

    def by_bucket(
        self, size: int, seed: int, purpose: str, count: int
    ) -> dict[str, list[tuple[str, Mask]]]:
        """Return `count` masks for each bucket, each named by what it is drawn from."""
        names = {
            bucket_label(bucket): [f"{self.name}/{purpose}/{seed}/{b}/{k}" for k in range(count)]
            for b, bucket in enumerate(BUCKETS)
        }
        return {b: [self._named(name, size) for name in row] for b, row in names.items()}

    def load(self, name: str, size: int) -> Mask:
        """Return the mask of a name that `by_bucket` gave, whichever families this source has."""
        family, mask = self._drawn(name, size)
        if family_of(name) not in (family, name.partition("/")[0]):
            raise UserError(
                f"mask {name} of the manifest was drawn by {family}; take an unchanged manifest"
            )
        return mask

    def _named(self, name: str, size: int) -> tuple[str, Mask]:
        """Return the mask of a name, which in a mix gets the family that drew it at its end."""
        family, mask = self._drawn(name, size)
        return (f"{name}/{family}" if len(self.families) > 1 else name), mask

    def _drawn(self, name: str, size: int) -> tuple[str, Mask]:
        """Return the family that draws the mask of a name, and the mask."""
        drawn = _parts(name)
        families = drawn[1].split(",") if drawn else []
        if not drawn or int(drawn[4]) >= len(BUCKETS) or not set(families) <= REGISTRY.all().keys():
            raise UserError(
                f"mask {name} of the manifest is not a generated one; "
                "name its source by --test-masks"
            )
        _, purpose, seed, bucket, index, _ = drawn.groups()
        ratio = BUCKETS[int(bucket)]
        return _generate(families, size, ratio, int(seed), f"{purpose}{bucket}", int(index))


@cache
def _drawing(family: str) -> DrawMask:
    """Return a family's function; kept, since a registry looks for new files at every question."""
    return REGISTRY.find(family).draw
