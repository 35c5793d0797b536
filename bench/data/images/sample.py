"""Photographs that ship inside scikit-image and matplotlib: nothing to download."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from bench.core.errors import UserError
from bench.data.images.source import ImageRequest, Picture, Split, image_source

FILES: dict[Split, tuple[str, ...]] = {
    "train": (
        "skimage/data/astronaut.png",
        # Both halves of the stereo pair show one scene, so they stay on one side.
        "skimage/data/motorcycle_left.png",
        "skimage/data/motorcycle_right.png",
        "skimage/data/hubble_deep_field.jpg",
        "skimage/data/ihc.png",
        "skimage/data/retina.jpg",
    ),
    "val": ("skimage/data/rocket.jpg",),
    "test": (
        "skimage/data/chelsea.png",
        "skimage/data/coffee.png",
        "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
    ),
}


@image_source("sample", "ten photographs inside scikit-image and matplotlib, the default")
def sample(request: ImageRequest) -> list[Picture]:
    """Return the sample photographs of one split: six, one and three."""
    return [Picture(Path(name).stem, _in_package(name)) for name in FILES[request.split]]


def _in_package(name: str) -> Path:
    """Return the path of a file inside an installed package, which is not imported for it."""
    # Without importing it: scikit-image is slow to import, and only its files are needed.
    package, _, inside = name.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"package {package}, which ships the sample photographs, is not installed")
    return Path(spec.submodule_search_locations[0]) / inside
