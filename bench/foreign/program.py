"""Programs that fill folders of pictures: how one is run, and as a network like any other."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from bench.core.errors import UserError
from bench.core.files import writing
from bench.data.export import Form, save_pair, stem
from bench.data.masks.polarity import Polarity
from bench.evaluation import outputs
from bench.foreign.process import carry_out

PLACES = ("images", "masks", "out")
"""Folders that a command names as `{images}`, `{masks}` and `{out}`."""
Numbered = tuple[int, Tensor, Tensor]
"""Number of a pair, its image [3,H,W] in uint8 and its mask [H,W], 1 = known."""


class ProgramNetwork(nn.Module):
    """A program in the place of a network: it is started for every batch.

    Test pairs are given to it all at once instead, by `bench.runs.programs`.
    """

    def __init__(self, words: Sequence[str], polarity: Polarity) -> None:
        super().__init__()
        self.words, self.polarity = words, polarity

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the output [B,3,H,W] in [0,1]; image [B,3,H,W] in [0,1], mask 1 = known."""
        pixels = (image.float() * 255).round().byte().cpu()
        pairs = [
            (i, p, m[0].byte().cpu()) for i, (p, m) in enumerate(zip(pixels, mask, strict=True))
        ]
        with tempfile.TemporaryDirectory() as scratch:
            run(self.words, self.polarity, pairs, Path(scratch))
            files = outputs.find(Path(scratch) / "out", [stem(i) for i in range(len(pairs))])
            filled = torch.stack([_read(file, pixels.shape[-2:]) for file in files])
        return filled.to(image.device, image.dtype) / 255


def run(
    words: Sequence[str],
    polarity: Polarity,
    pairs: Iterable[Numbered],
    place: Path,
    name: str | None = None,
) -> None:
    """Save pairs below a folder, run a program on them, and leave its pictures in `out` there.

    Pictures that are in `out` stay. A `name` stands with the progress, which is shown for one
    alone. What the program fails with is a `UserError`, as `carry_out` says.
    """
    folders = {folder: place / folder for folder in PLACES}
    with writing(place):
        total = _save(pairs, polarity, folders, place)
    before = _count(folders["out"])
    with tqdm(total=total, desc=f"run {name}", unit="img", disable=name is None) as bar:
        carry_out(
            [_filled_in(word, folders) for word in words],
            place,
            lambda: bar.update(min(_count(folders["out"]) - before, total) - bar.n),
        )


def _save(
    pairs: Iterable[Numbered], polarity: Polarity, folders: Mapping[str, Path], place: Path
) -> int:
    """Save pairs in the place of earlier ones, and return how many they are."""
    for name in ("images", "masks"):
        shutil.rmtree(folders[name], ignore_errors=True)
    folders["out"].mkdir(parents=True, exist_ok=True)
    form = Form("folders", "white" if polarity == "hole-white" else "black", truth=False)
    total = 0
    for number, image, mask in pairs:
        save_pair(image, mask, number, place, form)
        total += 1
    return total


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def _filled_in(word: str, folders: Mapping[str, Path]) -> str:
    """Return a word of a command with the paths of its folders."""
    for name, folder in folders.items():
        word = word.replace(f"{{{name}}}", str(folder.absolute()))
    return word


def _read(file: Path, sides: Sequence[int]) -> Tensor:
    """Return the picture of a file as [3,H,W] in uint8; one of another size is a `UserError`."""
    pixels = outputs.read(file).pixels
    if pixels.shape[:2] != tuple(sides):
        raise UserError(f"{file.name} has {pixels.shape[:2]} pixels, not {tuple(sides)}")
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)
