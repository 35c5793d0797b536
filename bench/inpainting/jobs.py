"""Which pictures are to be filled, with which masks, and which of them are finished."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import ExifTags, Image

from bench.core.errors import UserError
from bench.core.files import read_json, write_json
from bench.data.images.decode import SUFFIXES
from bench.evaluation.crops import fits

log = logging.getLogger(__name__)
SETTINGS = "inpaint.json"
"""File next to filled pictures that says what filled them."""
NAMES_TOLD = 5
"""Most names of files in one line."""


class Job(NamedTuple):
    """A picture to fill."""

    image: Path
    mask: Path

    @property
    def name(self) -> str:
        """File name of the filled picture, in a folder."""
        return f"{self.image.stem}.png"

    def finished(self, out: Path) -> bool:
        """Return whether the filled picture `out` is newer than image and mask."""
        if not (out.exists() and self.image.exists() and self.mask.exists()):
            return False
        changed = max(self.image.stat().st_mtime_ns, self.mask.stat().st_mtime_ns)
        return changed <= out.stat().st_mtime_ns


def find(images: Path, masks: Path) -> list[Job]:
    """Return a job for each picture of a folder, with the mask of the same name but for its suffix.

    A mask that is one file is for all pictures. Pictures without a mask are a warning and left out;
    a folder in which none has one is a `UserError`.
    """
    found = _by_stem(images)
    if not masks.exists():
        raise UserError(f"no file or folder {masks}")
    if not masks.is_dir():
        return [Job(file, masks) for file in found.values()]
    known = _by_stem(masks)
    jobs = [Job(file, known[stem]) for stem, file in found.items() if stem in known]
    if not jobs:
        raise UserError(
            f"no picture of {images} has a mask in {masks}: masks are named like their pictures"
        )
    if missing := [file.name for stem, file in found.items() if stem not in known]:
        log.warning("left out, without a mask in %s: %s", masks, listed(missing))
    return jobs


def _by_stem(folder: Path) -> dict[str, Path]:
    """Return the pictures of a folder by file name without suffix, in order."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}")
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in SUFFIXES and not file.name.startswith("."):
            if file.stem in found:
                raise UserError(
                    f"{folder} holds {found[file.stem].name} and {file.name}: their results would "
                    "have one name; rename one"
                )
            found[file.stem] = file
    if not found:
        raise UserError(f"{folder} holds no picture ({', '.join(sorted(SUFFIXES))})")
    return found


def refuse_others(jobs: Sequence[Job], folder: Path, settings: dict[str, Any]) -> None:
    """Raise a `UserError` if `folder` holds pictures of these names that other settings made.

    Pictures that this program did not make are among them.
    """
    there = [folder / job.name for job in jobs if (folder / job.name).exists()]
    if there and _settings(folder) != settings:
        raise UserError(
            f"{there[0]} was made by something else, or with other options; use another --out, or "
            "--redo to replace it"
        )


def begin(jobs: Sequence[Job], folder: Path, settings: dict[str, Any], redo: bool) -> list[Job]:
    """Return the jobs whose picture in `folder` is not finished, and note the settings there.

    With `redo` all pictures are removed first, so that none is taken for one of other settings if
    the work is stopped.
    """
    outputs = {job: folder / job.name for job in jobs}
    if redo:
        for out in outputs.values():
            out.unlink(missing_ok=True)
    write_json(folder / SETTINGS, settings)
    return [job for job, out in outputs.items() if not job.finished(out)]


def _settings(folder: Path) -> Any:
    return read_json(folder / SETTINGS) if (folder / SETTINGS).exists() else None


def usual_size(jobs: Sequence[Job]) -> tuple[tuple[int, int], int]:
    """Return the height and width that most pictures have, and how many have it.

    Pictures that are filled in crops, or cannot be opened, do not count; the number may be 0.
    """
    sizes = Counter(size for job in jobs if (size := _size(job.image)) and fits(*size))
    return sizes.most_common(1)[0] if sizes else ((0, 0), 0)


def _size(file: Path) -> tuple[int, int] | None:
    """Return the height and width of a picture, upright; None if it cannot be opened."""
    try:
        with Image.open(file) as header:
            width, height = header.size
            on_its_side = header.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    except Exception:  # a damaged file can fail anywhere; it is told when it is to be filled
        return None
    return (width, height) if on_its_side else (height, width)


def listed(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - NAMES_TOLD
    return ", ".join(names[:NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")
