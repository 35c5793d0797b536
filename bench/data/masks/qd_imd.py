"""The Quick Draw Irregular Mask Dataset (K. Iskakov, 2018)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from bench.data.images.source import list_folder, missing
from bench.data.masks.files import FileMasks, declared_polarity
from bench.data.masks.source import MaskRequest, mask_source


@mask_source("qd-imd", "Quick Draw masks, in their train and test parts")
def qd_imd(request: MaskRequest) -> FileMasks:
    """Return the masks of one part: 512x512 pixels, black is hole.

    Training and validation have the files of its `train`.
    """
    folder = request.path or request.root / "qd_imd"
    part = "test" if request.split == "test" else "train"
    name = re.compile(rf"[0-9]{{5}}_{part}")
    everything = list_folder(folder) if folder.is_dir() else []
    files = [p for p in everything if name.fullmatch(PurePosixPath(p.name).stem)]
    if not files:
        raise missing(
            f"The {part} part of QD-IMD",
            folder,
            "it comes from https://github.com/karfly/qd-imd",
            f"{part}/00000_{part}.png and so on",
        )
    polarity = declared_polarity("qd-imd", "hole-black", request.polarity)
    return FileMasks.of(files, polarity, str(folder), request.digests)
