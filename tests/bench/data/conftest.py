from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.images.source import list_folder
from bench.data.photos import Photos, load_photos


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with three noise photographs of different shapes."""
    folder = tmp_path / "album"
    folder.mkdir()
    stream = np.random.default_rng(11)
    for name, shape in (("a.png", (70, 90)), ("b.png", (96, 66)), ("c.png", (80, 80))):
        Image.fromarray(stream.integers(0, 256, (*shape, 3), dtype=np.uint8)).save(folder / name)
    return folder


@pytest.fixture
def photos(album: Path, tmp_path: Path) -> Photos:
    """The album with shorter side 66 for crops of 64."""
    return load_photos(list_folder(album), 66, 64, tmp_path / "cache")


MaskMaker = Callable[[Mapping[str, float]], Path]


@pytest.fixture
def mask_folder(tmp_path: Path) -> MaskMaker:
    """Writes 64x64 masks, white = hole, with the given hole shares by file name."""

    def write(shares: Mapping[str, float]) -> Path:
        folder = tmp_path / "masks"
        folder.mkdir()
        for number, (name, share) in enumerate(shares.items()):
            pixels = np.zeros(64 * 64, np.uint8)
            pixels[: round(share * pixels.size)] = 255
            np.random.default_rng(number).shuffle(pixels)
            Image.fromarray(pixels.reshape(64, 64)).save(folder / name)
        return folder

    return write
