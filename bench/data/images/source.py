"""Image sources: what one is, how one is defined, and how `--images` names one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from bench.core.errors import UserError
from bench.core.registry import Registry
from bench.data.images.decode import SUFFIXES
from bench.data.source_name import SourceName, TakesPath, unknown_source

log = logging.getLogger(__name__)
Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class Picture(NamedTuple):
    """An image file, and the name under which records know it."""

    name: str
    path: Path


class ImageRequest(NamedTuple):
    """The pictures that an experiment asks a source for."""

    split: Split
    root: Path
    """The folder that holds named data sets, `--data-root`."""
    path: Path | None
    """The path of `NAME:PATH`, where the source takes one."""
    for_testing_alone: bool
    """Whether the source was named by `--test-images` and not by `--images`."""


FindPictures = Callable[[ImageRequest], list[Picture]]


@dataclass(frozen=True, kw_only=True)
class ImageSource:
    """Photographs by a name; `image_source` defines one."""

    name: str
    summary: str
    takes_path: TakesPath = "never"
    find: FindPictures


REGISTRY: Registry[ImageSource] = Registry(
    "image source", ["bench.data.images"], "lbam_bench.images"
)


def image_source(
    name: str, summary: str, takes_path: TakesPath = "never"
) -> Callable[[FindPictures], FindPictures]:
    """Define an image source by the function that finds its pictures.

    The function is called once a split when an experiment starts. It returns the pictures of the
    split in a fixed order, and raises a `UserError` that says what is missing. The three splits
    must not overlap. What it returns is decoded and resized by `bench.data.photos`; a run's
    identity holds a digest of the names and bytes. This file, `bench/data/images/celeba.py`, makes
    `--images celeba` work:

        from bench.data.images.source import image_source, list_folder

        @image_source("celeba", "CelebA's faces, in folders train, val and test")
        def celeba(request):
            return list_folder(request.root / "celeba" / request.split)
    """

    def define(find: FindPictures) -> FindPictures:
        REGISTRY.add(
            name, ImageSource(name=name, summary=summary, takes_path=takes_path, find=find)
        )
        return find

    return define


def pictures(spec: str, split: Split, root: Path, for_testing_alone: bool = False) -> list[Picture]:
    """Return the pictures of one split of the source that `spec` names, `NAME` or `NAME:PATH`.

    `root` is the folder that holds named data sets. A source that is unknown, missing or damaged is
    a `UserError`.
    """
    asked, sources = SourceName.parse(spec), REGISTRY.all()
    if asked.name not in sources:
        known = [(source.name, source.takes_path) for source in sources.values()]
        raise unknown_source("image source", spec, known)
    source = sources[asked.name]
    asked.check_path(source.takes_path)
    return source.find(ImageRequest(split, root, asked.path, for_testing_alone))


def missing(what: str, folder: Path, origin: str, layout: str) -> UserError:
    """Return the error for a named data set that is not where it should lie."""
    return UserError(
        f"{what} is not in {folder}; {origin}; expected there: {layout} "
        "(--data-root names the folder above)"
    )


def list_folder(folder: Path) -> list[Picture]:
    """Return all pictures below a folder, named by relative path and sorted by name.

    Hidden files and folders are left out, and with a warning those whose names are no UTF-8. No
    folder, or one without pictures, is a `UserError`.
    """
    if not folder.is_dir():
        raise UserError(f"no folder {folder}")
    files = sorted(p for p in folder.rglob("*") if _is_picture(p, folder))
    everything = [Picture(p.relative_to(folder).as_posix(), p) for p in files]
    found = [picture for picture in everything if _is_text(picture.name)]
    if left_out := [picture.name for picture in everything if not _is_text(picture.name)]:
        _warn_of_names(left_out, folder)
    if not found:
        kinds = ", ".join(sorted(SUFFIXES))
        raise UserError(f"folder {folder} holds no images ({kinds})")
    return found


def _is_picture(path: Path, below: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(below).parts)
    return path.suffix.lower() in SUFFIXES and not hidden and path.is_file()


def _is_text(name: str) -> bool:
    """Return whether a name is UTF-8; Python stands lone surrogates for its other bytes."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _warn_of_names(names: list[str], folder: Path) -> None:
    examples = ", ".join(ascii(name) for name in names[:3])
    log.warning(
        "%s: %d files are left out, since their names are no UTF-8 (%s); rename them",
        folder, len(names), examples + ", ..." * (len(names) > 3),
    )  # fmt: skip
