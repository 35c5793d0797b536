"""Many pictures filled one after the other; one that is broken does not stop the others."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bench.core.errors import UserError
from bench.data.masks.buckets import hole_ratio
from bench.data.masks.polarity import MOSTLY_HOLE, Polarity
from bench.evaluation.picture import OTHER, Filler, read_known
from bench.inpainting import photograph
from bench.inpainting.jobs import Job, listed
from bench.inpainting.photograph import Photograph

log = logging.getLogger(__name__)
Read = tuple[Photograph, NDArray[np.bool_]]
"""A photograph and its hole [H,W], True."""


@dataclass
class Batch:
    """The filling of pictures, with what is to be told of them at the end."""

    polarity: Polarity
    dilate: int
    """Pixels by which each hole is grown."""
    problems: dict[Job, str] = field(default_factory=dict)
    """Why a picture could not be filled."""
    notes: dict[str, dict[Job, None]] = field(default_factory=dict)
    """The pictures of which something is to be told, by what it is."""

    def fill(self, job: Job, filler: Filler, out: Path) -> None:
        """Fill a picture and save it; a problem is noted and logged, once for all methods."""
        try:
            self.finish(job, self.read(job), filler, out)
        except UserError as error:
            if self.problems.get(job) != str(error):
                log.error("%s", error)
            self.problems[job] = str(error)

    def finish(self, job: Job, read: Read, filler: Filler, out: Path) -> None:
        """Fill a picture that was read, save it, and note what is to be told of it."""
        picture, hole = read
        known = torch.from_numpy(~hole)[None, None].float()
        photograph.save(out, picture, filler(picture.tensor(), known), hole)
        for note in picture.told(out.suffix):
            self.note(note, job)

    def read(self, job: Job) -> Read:
        """Return a photograph and its hole [H,W], grown as asked."""
        picture = photograph.read(job.image)
        known = read_known(job.mask, self.polarity, job.image, picture.pixels.shape)
        if hole_ratio(known) > MOSTLY_HOLE:
            share, other = f"{MOSTLY_HOLE:.0%}", OTHER[self.polarity]
            self.note(f"over {share} is hole; if that is wrong, use --polarity {other}", job)
        hole = grown(known == 0, self.dilate)
        if hole.all():
            raise UserError(f"--dilate {self.dilate} leaves no known pixel of {job.mask}")
        return picture, hole

    def holed(self, job: Job) -> Image.Image:
        """Return a picture with its hole in white."""
        picture, hole = self.read(job)
        return Image.fromarray(np.where(hole[..., None], np.uint8(255), picture.seen()))

    def note(self, text: str, job: Job) -> None:
        """Note what is to be told of a picture, once."""
        self.notes.setdefault(text, {})[job] = None

    def told(self) -> list[str]:
        """Return a line for each thing that is to be told, with the pictures that it concerns."""
        return [
            f"{note}: {listed([job.image.name for job in jobs])}"
            for note, jobs in self.notes.items()
        ]


def grown(hole: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Return a hole [H,W] with all pixels that are at most so many pixels away from it."""
    import cv2

    if pixels == 0:
        return hole
    known = (~hole).astype(np.uint8)
    return cv2.distanceTransform(known, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= pixels
