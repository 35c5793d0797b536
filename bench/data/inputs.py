"""From a config to photographs, training batches and test pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.config import Config
from bench.data import cache
from bench.data import pairs as manifest
from bench.data.batches import Batches
from bench.data.images import sources
from bench.data.masks import sources as mask_sources
from bench.data.pairs import Manifest, TestPairs

DEFAULT_ROOT = Path("~/.cache/lbam-bench")


def training_batches(config: Config, cache_folder: Path) -> Batches:
    """The training sequence."""
    data, training = config.data, config.training
    return Batches(
        _photos(config, data.images, "train", cache_folder),
        _masks(config, data.masks, "train"),
        data.size,
        data.ratio,
        training.batch_size,
        training.seed,
    )


def test_pairs(config: Config, cache_folder: Path) -> TestPairs:
    """The test pairs: those of `--manifest`, or drawn with a seed of their own, not `--seed`."""
    data = config.data
    photos = _photos(config, data.test_images or data.images, "test", cache_folder)
    masks = _masks(config, data.test_masks or data.masks, "test")
    if data.manifest:
        return TestPairs(Manifest.read(Path(data.manifest)), photos, masks)
    # Every run, whatever its seed, must be measured on the same pairs.
    drawn = manifest.make(photos, masks, data.size, data.resize, data.pairs, 0, "test")
    return TestPairs(drawn, photos, masks)


def validation_pairs(config: Config, cache_folder: Path) -> TestPairs:
    """Pairs of the validation split, for curves while training."""
    data = config.data
    photos = _photos(config, data.images, "val", cache_folder)
    masks = _masks(config, data.masks, "val")
    drawn = manifest.make(
        photos, masks, data.size, data.resize, data.validation_pairs, 0, "validation"
    )
    return TestPairs(drawn, photos, masks)


def splits(config: Config, cache_folder: Path) -> dict[str, dict[str, Any]]:
    """What each split holds, for JSON: splits drawn by a seed can be told from the record.

    Under `train`, `val` and `test`: kind of `source`, number of `images`, `digest`, and but for
    training the `names`.
    """
    data = config.data
    record: dict[str, dict[str, Any]] = {}
    for split in sources.SPLITS:
        spec = (data.test_images or data.images) if split == "test" else data.images
        photos = _photos(config, spec, split, cache_folder)
        record[split] = {
            "source": spec.partition(":")[0],  # where it lies says nothing of what it is
            "images": len(photos),
            "digest": photos.digest,
        }
        if split != "train":
            record[split]["names"] = list(photos.names)
    return record


def _photos(config: Config, spec: str, split: sources.Split, folder: Path) -> cache.Photos:
    data = config.data
    # A folder named for testing alone is a test set as it stands.
    whole = split == "test" and data.test_images not in ("", data.images)
    found = sources.pictures(spec, split, _root(config), whole)
    return cache.load(found, data.resize, data.size, folder)


def _masks(config: Config, spec: str, split: sources.Split) -> mask_sources.MaskSource:
    return mask_sources.resolve(spec, config.data.polarity, _root(config), split)


def _root(config: Config) -> Path:
    return Path(config.data.data_root or DEFAULT_ROOT).expanduser()
