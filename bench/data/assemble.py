"""From a config to photographs, training batches and test pairs."""

from __future__ import annotations

from pathlib import Path

from bench.config import Config
from bench.data import cache, manifest, mask_sources, sources
from bench.data.batches import Batches
from bench.data.manifest import Manifest, TestPairs

DEFAULT_ROOT = Path("~/.cache/lbam-bench")


def training_batches(config: Config, cache_folder: Path) -> Batches:
    """The training sequence."""
    data, training = config.data, config.training
    return Batches(
        _photos(config, data.images, "train", cache_folder),
        mask_sources.resolve(data.masks, data.polarity),
        data.size,
        data.ratio,
        training.batch_size,
        training.seed,
    )


def test_pairs(config: Config, cache_folder: Path) -> TestPairs:
    """The test pairs: those of `--manifest`, or drawn with a seed of their own, not `--seed`."""
    data = config.data
    photos = _photos(config, data.test_images or data.images, "test", cache_folder)
    masks = mask_sources.resolve(data.test_masks or data.masks, data.polarity)
    if data.manifest:
        return TestPairs(Manifest.read(Path(data.manifest)), photos, masks)
    # Every run, whatever its seed, must be measured on the same pairs.
    drawn = manifest.make(photos, masks, data.size, data.resize, data.pairs, 0, "test")
    return TestPairs(drawn, photos, masks)


def validation_pairs(config: Config, cache_folder: Path) -> TestPairs:
    """Pairs of the validation split, for curves while training."""
    data = config.data
    photos = _photos(config, data.images, "val", cache_folder)
    masks = mask_sources.resolve(data.masks, data.polarity)
    drawn = manifest.make(
        photos, masks, data.size, data.resize, data.validation_pairs, 0, "validation"
    )
    return TestPairs(drawn, photos, masks)


def _photos(config: Config, spec: str, split: sources.Split, folder: Path) -> cache.Photos:
    data = config.data
    # A folder named for testing alone is a test set as it stands.
    whole = split == "test" and data.test_images not in ("", data.images)
    root = Path(data.data_root).expanduser() if data.data_root else DEFAULT_ROOT.expanduser()
    return cache.load(sources.pictures(spec, split, root, whole), data.resize, data.size, folder)
