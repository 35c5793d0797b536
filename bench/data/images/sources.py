"""Where images come from: names like `sample`, `bsds500` and `folder:PATH` to lists of files."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.core.errors import UserError, unknown
from bench.data.images.decode import SUFFIXES

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Picture:
    """One image file and the name under which records know it."""

    name: str
    path: Path


SAMPLE: dict[Split, tuple[str, ...]] = {
    # Disjoint; both halves of the stereo pair stand on one side.
    "train": (
        "skimage/data/astronaut.png",
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


def pictures(spec: str, split: Split, root: Path, whole: bool = False) -> list[Picture]:
    """The pictures of one split of a source.

    `spec` is `sample`, `bsds500`, `paris`, `places365` or `folder:PATH`; `root` is where named data
    sets lie. `whole` says that a folder serves this purpose alone, so that without `train`, `val`,
    `test` inside it is not divided.
    """
    kind, _, rest = spec.partition(":")
    if kind == "sample" and not rest:
        return [Picture(Path(name).stem, _packaged(name)) for name in SAMPLE[split]]
    if kind == "bsds500" and not rest:
        from bench.data.images.bsds500 import locate

        return list_folder(locate(root) / split)
    if kind == "paris" and not rest:
        from bench.data.images import paris

        return paris.pictures(root, split)
    if kind == "places365" and not rest:
        from bench.data.images import places365

        return places365.pictures(root, split)
    if kind == "folder" and rest:
        return _folder(Path(rest).expanduser(), split, whole)
    raise unknown("image source", spec, ["sample", "bsds500", "paris", "places365", "folder:PATH"])


def missing(what: str, folder: Path, origin: str, layout: str) -> UserError:
    """The error for a named data set that is not where it should lie."""
    return UserError(
        f"{what} is not in {folder}; {origin}; expected there: {layout} "
        "(--data-root names the folder above)"
    )


def list_folder(folder: Path) -> list[Picture]:
    """All pictures below a folder, by relative name, sorted."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}")
    files = sorted(p for p in folder.rglob("*") if _is_picture(p, folder))
    if not files:
        kinds = ", ".join(sorted(SUFFIXES))
        raise UserError(f"folder {folder} holds no images ({kinds})")
    return [Picture(p.relative_to(folder).as_posix(), p) for p in files]


def _is_picture(path: Path, below: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(below).parts)
    return path.suffix.lower() in SUFFIXES and not hidden and path.is_file()


def _folder(folder: Path, split: Split, whole: bool) -> list[Picture]:
    if any((folder / name).is_dir() for name in SPLITS):
        return list_folder(folder / split)
    everything = list_folder(folder)
    if whole:
        return everything
    chosen = [p for p in everything if _drawn_split(p.name) == split]
    if not chosen:
        raise UserError(
            f"folder {folder} has too few images ({len(everything)}) to draw a {split} split; "
            "add images, or make the subfolders train, val and test"
        )
    return chosen


def _drawn_split(name: str) -> Split:
    """80 % train, 10 % val, 10 % test by a hash of the name: adding files moves no other file."""
    draw = hashlib.sha256(name.encode()).digest()[0] / 256
    return "train" if draw < 0.8 else "val" if draw < 0.9 else "test"


def _packaged(name: str) -> Path:
    """A file inside an installed package, found without importing the package."""
    package, _, inside = name.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"package {package}, which ships the sample photographs, is not installed")
    return Path(spec.submodule_search_locations[0]) / inside
