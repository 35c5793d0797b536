"""Masks that are picture files below a folder."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import numpy as np

from bench.core.digests import FileDigests
from bench.core.errors import UserError
from bench.data.cache import Source, hashed
from bench.data.images.source import Picture, list_folder
from bench.data.masks.buckets import Mask, hole_ratio
from bench.data.masks.listed import MaskList
from bench.data.masks.packed import PackedMasks, load_masks
from bench.data.masks.polarity import Polarity, read_mask, warn_if_mostly_hole
from bench.data.masks.source import MaskRequest, mask_source

log = logging.getLogger(__name__)
LOOKED_AT = 24
"""Files whose hole ratio tells whether the polarity is likely: all would take minutes."""


@dataclass(frozen=True)
class FileMasks(MaskList):
    """Mask pictures below a folder, of one polarity."""

    files: tuple[Picture, ...]
    polarity: Polarity
    digests: FileDigests = field(default_factory=FileDigests, compare=False)
    _packed: dict[int, PackedMasks] = field(default_factory=dict, init=False, compare=False)
    """Decoded masks by size."""

    @property
    def name(self) -> str:
        """How many files, and their polarity."""
        return f"{len(self.files)} files, {self.polarity.replace('-', ' ')}"

    @cached_property
    def names(self) -> Sequence[str]:
        """The files' names relative to the folder."""
        return [file.name for file in self.files]

    @cached_property
    def digest(self) -> str:
        """Hash of the files' names and bytes, and of the polarity."""
        facts = [(picture.name, digest) for picture, digest in self._sources]
        white = self.polarity == "hole-white"
        return hashlib.sha256(repr((white, facts)).encode()).hexdigest()[:16]

    @classmethod
    def open(cls, folder: Path, polarity: Polarity, digests: FileDigests | None = None) -> Self:
        """Return all masks below `folder`.

        `digests`, those of a request, save hashing and decoding again.
        """
        return cls.of(list_folder(folder), polarity, str(folder), digests)

    @classmethod
    def of(
        cls,
        files: Sequence[Picture],
        polarity: Polarity,
        what: str,
        digests: FileDigests | None = None,
    ) -> Self:
        """Return masks from these files; warn if they look as if the polarity were the other."""
        some = files[:: max(1, len(files) // LOOKED_AT)]
        ratios = [hole_ratio(read_mask(picture.path, polarity)) for picture in some]
        warn_if_mostly_hole(float(np.mean(ratios)), what, polarity)
        return cls(tuple(files), polarity, digests or FileDigests())

    def read(self, index: int, size: int) -> Mask:
        """Return one file as a mask, resized; all are decoded once if `digests` has a folder."""
        if (folder := self.digests.folder) is None:
            return read_mask(self.files[index].path, self.polarity, size)
        if size not in self._packed:
            self._packed[size] = load_masks(
                self._sources, self.polarity, size, folder, self.digests
            )
        return self._packed[size][index]

    @cached_property
    def _sources(self) -> Sequence[Source]:
        return hashed(self.files, self.digests)


@mask_source("masks", "your own mask files; --polarity says what the hole is", "always")
def masks(request: MaskRequest) -> FileMasks:
    """Return all mask files below a folder."""
    assert request.path is not None  # the source takes a path always
    if not request.polarity:
        raise UserError(
            f"masks:{request.path} does not say what the hole is; "
            "add --polarity hole-white or --polarity hole-black"
        )
    return FileMasks.open(request.path, request.polarity, request.digests)


def declared_polarity(kind: str, own: Polarity, asked: Polarity | Literal[""]) -> Polarity:
    """Return the polarity of a published set; `--polarity` overrides its own, with a warning."""
    if not asked or asked == own:
        return own
    log.warning("--polarity %s overrides that of the %s masks, %s", asked, kind, own)
    return asked
