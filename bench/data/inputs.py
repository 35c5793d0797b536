"""The inputs of an experiment: photographs, masks and pairs, each resolved once from the config."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from bench.config import Config
from bench.core.digests import FileDigests
from bench.core.errors import UserError
from bench.data import pairs
from bench.data.batches import Batches
from bench.data.images.source import SPLITS, Split, pictures
from bench.data.masks.source import MaskSource, open_masks
from bench.data.pairs import FrozenPairs, Manifest
from bench.data.photos import Photos, load_photos

DEFAULT_ROOT = Path("~/.cache/lbam-bench")
PAIRS_SEED = 0
"""Seed of test and validation pairs, not `--seed`: every run is measured on the same pairs."""
TRIED_MASKS = 8
"""Masks of the training sequence that are drawn when it is made."""


class Inputs:
    """All data of one config; an experiment builds this object once and hands it on.

    Each part is made when it is first asked for, since a method without training needs only the
    test pairs. A source that is missing or wrong is a `UserError` at that moment. `folder` is the
    cache of decoded photographs and masks, and of files' digests.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        self.config, self.data, self.folder = config, config.data, folder
        self.root = Path(config.data.data_root or DEFAULT_ROOT).expanduser()
        self.file_digests = FileDigests(folder, config.data.rehash)
        self._photos: dict[Split, Photos] = {}
        self._masks: dict[tuple[str, Split], MaskSource] = {}

    @cached_property
    def train(self) -> Batches:
        """The training batches by step."""
        photos, masks = self.photos("train"), self.masks(self.data.masks, "train")
        size, ratio, training = self.data.size, self.data.ratio, self.config.training
        # Now, not at some step: the families may not reach the ratio, or the files be damaged.
        for position in range(TRIED_MASKS):
            masks.training(size, ratio, training.seed, position)
        return Batches(photos, masks, size, ratio, training.batch_size, training.seed)

    @cached_property
    def validation(self) -> FrozenPairs:
        """Pairs of the validation split, for curves during training."""
        # Masks of the training part: only the test part of a set is for testing.
        source = self.masks(self.data.masks, "train")
        return self._draw("val", source, self.data.validation_pairs, "validation")

    @cached_property
    def test(self) -> FrozenPairs:
        """The test pairs: those of `--manifest`, or drawn."""
        # First: a wrong manifest is told before photographs are decoded.
        given = Manifest.read(Path(self.data.manifest)) if self.data.manifest else None
        if given and given.size != self.data.size:
            raise UserError(
                f"manifest {self.data.manifest} has pairs of {given.size} pixels; use --size "
                f"{given.size}"
            )
        source = self.masks(self.data.test_masks or self.data.masks, "test")
        if given:
            frozen = FrozenPairs(given, self.photos("test"), source)
            frozen.check_masks()
            return frozen
        return self._draw("test", source, self.data.pairs, "test")

    def photos(self, split: Split) -> Photos:
        """Return the photographs of one split, decoded and resized."""
        if split not in self._photos:
            # A folder named for testing alone is a test set as it stands.
            whole = split == "test" and self.data.test_images not in ("", self.data.images)
            found = pictures(self.image_source(split), split, self.root, whole)
            self._photos[split] = load_photos(
                found, self.data.resize, self.data.size, self.folder, self.file_digests
            )
        return self._photos[split]

    def masks(self, spec: str, split: Split) -> MaskSource:
        """Return the masks of one source; published sets may have a part for each split."""
        if (spec, split) not in self._masks:
            found = open_masks(spec, self.data.polarity, self.root, split, self.file_digests)
            self._masks[spec, split] = found
        return self._masks[spec, split]

    def image_source(self, split: Split) -> str:
        """Return the source of a split's photographs, such as `bsds500` or `folder:PATH`."""
        return (self.data.test_images or self.data.images) if split == "test" else self.data.images

    def digests(self) -> dict[str, str]:
        """Return digests of the training data, for the identity of a run."""
        return {
            "training images": self.train.photos.digest[:16],
            "training masks": self.train.masks.digest,
        }

    def splits(self) -> dict[str, dict[str, Any]]:
        """Return what each split holds, for JSON: drawn splits can be told from the record.

        Under `train`, `val` and `test`: kind of `source`, number of `images`, `digest`, and except
        for training the `names`.
        """
        record: dict[str, dict[str, Any]] = {}
        for split in SPLITS:
            photos = self.photos(split)
            record[split] = {
                "source": self.image_source(split).partition(":")[0],  # its place says nothing
                "images": len(photos),
                "digest": photos.digest,
            }
            if split != "train":
                record[split]["names"] = list(photos.names)
        return record

    def _draw(self, split: Split, source: MaskSource, count: int, purpose: str) -> FrozenPairs:
        photos, data = self.photos(split), self.data
        drawn = pairs.make(photos, source, data.size, data.resize, count, PAIRS_SEED, purpose)
        return FrozenPairs(drawn, photos, source)
