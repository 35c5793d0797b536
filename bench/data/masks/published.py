"""Published sets of masks, whose names say what the hole is: NVIDIA, QD-IMD, the paper's mix."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from bench.core.errors import UserError
from bench.data.images.sources import Picture, Split, list_folder, missing
from bench.data.masks.generated import Mask, generate
from bench.data.masks.listed import MaskList
from bench.data.masks.sources import FileMasks, MaskSource

log = logging.getLogger(__name__)
FOLDERS = {"nvidia": "nvidia_masks", "qd-imd": "qd_imd", "paper": "nvidia_masks"}
"""Where each set lies under the data root; the paper's mix needs NVIDIA's."""
NVIDIA_RANGES = ((0.01, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6))
NVIDIA_PER_RANGE = 2000
PAPER_SHAPES = 6000


def open_set(kind: str, folder: Path, polarity: str, split: Split) -> MaskSource:
    """The set of that name in `folder`; a `polarity` overrides the set's own, with a warning."""
    own = "hole-black" if kind == "qd-imd" else "hole-white"
    if polarity not in ("", own):
        log.warning("--polarity %s overrides that of the %s masks, %s", polarity, kind, own)
    if kind == "qd-imd":
        return _qd_imd(folder, polarity or own, split)
    nvidia = _nvidia(folder, polarity or own)
    return nvidia if kind == "nvidia" else PaperMasks(nvidia)


class NvidiaMasks(FileMasks):
    """The test masks of PConv (Liu et al., ECCV 2018): 12,000 of 512x512 pixels, white is hole."""

    def claimed(self, index: int) -> tuple[float, float] | None:
        """The files are numbered, 2,000 for each range of hole ratios."""
        number = _nvidia_number(self.names[index])
        return None if number is None else NVIDIA_RANGES[number // NVIDIA_PER_RANGE]


@dataclass(frozen=True)
class PaperMasks(MaskList):
    """The paper's 18,000 masks: 6,000 own random shapes and NVIDIA's 12,000 test masks.

    The author of the released code says so (issue 8 of Vious/LBAM_Pytorch); of the shapes, 20 to
    30 % is hole. Training and testing draw from the same list, a known weakness of that protocol:
    test masks may have been met in training.
    """

    nvidia: NvidiaMasks

    @property
    def name(self) -> str:
        """The parts of the mix."""
        return f"{PAPER_SHAPES} shapes and {self.nvidia.name}"

    @cached_property
    def digest(self) -> str:
        """Hash of what the parts are."""
        return hashlib.sha256(f"{PAPER_SHAPES}/{self.nvidia.digest}".encode()).hexdigest()[:16]

    @cached_property
    def names(self) -> Sequence[str]:
        """The shapes by number, then the files."""
        return [f"paper shapes/{i}" for i in range(PAPER_SHAPES)] + list(self.nvidia.names)

    def read(self, index: int, size: int) -> Mask:
        """A shape made for that size, or a file resized."""
        if index < PAPER_SHAPES:
            return generate(("shapes",), size, (0.2, 0.3), 0, "paper shapes", index)
        return self.nvidia.read(index - PAPER_SHAPES, size)

    def claimed(self, index: int) -> tuple[float, float] | None:
        """Only NVIDIA's names stand for a ratio."""
        return self.nvidia.claimed(index - PAPER_SHAPES) if index >= PAPER_SHAPES else None


def _nvidia(folder: Path, polarity: str) -> NvidiaMasks:
    if not folder.is_dir():
        raise missing(
            "NVIDIA's set of test masks",
            folder,
            "it comes from https://nv-adlr.github.io/publication/partialconv-inpainting "
            "(CC BY-NC-SA 4.0)",
            "00000.png to 11999.png",
        )
    source = NvidiaMasks.open(folder, polarity)
    if all(_nvidia_number(name) is None for name in source.names):
        raise UserError(
            f"{folder} holds none of NVIDIA's test masks, 00000.png to 11999.png; "
            "use masks:PATH for other masks"
        )
    return source


def _nvidia_number(name: str) -> int | None:
    stem = PurePosixPath(name).stem
    last = len(NVIDIA_RANGES) * NVIDIA_PER_RANGE - 1
    return int(stem) if re.fullmatch("[0-9]{1,5}", stem) and int(stem) <= last else None


def _qd_imd(folder: Path, polarity: str, split: Split) -> FileMasks:
    """The Quick Draw Irregular Mask Dataset (K. Iskakov, 2018): 512x512 pixels, black is hole.

    Training and validation have the files of its `train`.
    """
    part = "test" if split == "test" else "train"
    files = _named(folder, rf"[0-9]{{5}}_{part}")
    if not files:
        raise missing(
            f"The {part} part of QD-IMD",
            folder,
            "it comes from https://github.com/karfly/qd-imd",
            f"{part}/00000_{part}.png and so on",
        )
    return FileMasks.of(files, polarity, str(folder))


def _named(folder: Path, stem: str) -> list[Picture]:
    """The pictures below a folder whose names without suffix match; none if there is no folder."""
    everything = list_folder(folder) if folder.is_dir() else []
    return [p for p in everything if re.fullmatch(stem, PurePosixPath(p.name).stem)]
