"""Test pairs as a folder of pictures, for programs elsewhere that fill them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from bench.core.errors import UserError
from bench.core.files import remove, write_text, writing
from bench.data.pairs import FrozenPairs, Manifest

Layout = Literal["folders", "lama"]
PLACES: dict[Layout, tuple[str, str]] = {
    "folders": ("images/{}.png", "masks/{}.png"),
    "lama": ("lama/{}.png", "lama/{}_mask.png"),
}
"""Places of a pair's holed image and of its mask, by layout."""
TRUTH = "truth/{}.png"
MANIFEST, README = "pairs.json", "README.md"


@dataclass(frozen=True)
class Form:
    """The form of an export: layout, colour of the hole in masks, and whether truths are there."""

    layout: Layout
    hole: Literal["white", "black"]
    truth: bool

    def __post_init__(self) -> None:
        if (self.layout, self.hole) == ("lama", "black"):
            raise UserError("--layout lama: LaMa reads white as hole; leave --hole black out")


def stem(pair: int) -> str:
    """Return the name of a pair's pictures without their suffix, such as `00012`."""
    return f"{pair:05d}"


def check_place(to: Path) -> None:
    """Raise a `UserError` for a folder with anything in it that no export has."""
    if not to.exists():
        return
    names = {path.relative_to(to).as_posix() for path in to.rglob("*") if not path.is_dir()}
    if to.is_dir() and (not names or names <= _files_of(to)):
        return
    raise UserError(f"--to {to} is there and no export of pairs; choose a new or an empty folder")


def export(pairs: FrozenPairs, to: Path, form: Form, measure: str) -> None:
    """Write pictures, manifest and README of test pairs into a folder, whole or not at all.

    An earlier export in its place is replaced; anything else there is a `UserError`. `measure` is
    the command that measures outputs for these pairs, for the README.
    """
    check_place(to)
    place = to.absolute()
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        with writing(to):
            for number in tqdm(range(len(pairs)), desc="export pairs", unit="pair"):
                images, masks = pairs.batch([number])
                save_pair(images[0], masks[0, 0], number, temporary, form)
            write_text(temporary / README, _readme(pairs.manifest, to, form, measure))
            pairs.manifest.save(temporary / MANIFEST)
            if place.exists():
                remove(place)
            temporary.rename(place)
    finally:
        remove(temporary)


def save_pair(image: Tensor, mask: Tensor, number: int, folder: Path, form: Form) -> None:
    """Save the pictures of a pair: image [3,H,W] in uint8, mask [H,W], 1 = known."""
    truth, known = image.permute(1, 2, 0).numpy(), mask.numpy()
    image_place, mask_place = PLACES[form.layout]
    white = known == (0 if form.hole == "white" else 1)
    pictures = {image_place: truth * known[..., None], mask_place: white.astype(np.uint8) * 255}
    if form.truth:
        pictures[TRUTH] = truth
    for place, pixels in pictures.items():
        _save(folder / place.format(stem(number)), pixels)


def _files_of(to: Path) -> set[str]:
    """Return the names that an export may have, by its manifest; none if that cannot be read."""
    try:
        count = len(Manifest.read(to / MANIFEST).pairs)
    except UserError:
        return set()
    places = [place for layout in PLACES.values() for place in layout]
    pictures = {p.format(stem(n)) for p in [*places, TRUTH] for n in range(count)}
    return {MANIFEST, README} | pictures


def _save(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _readme(manifest: Manifest, to: Path, form: Form, measure: str) -> str:
    """Return the text that says what lies in the folder, who reads it, and what comes next."""
    image, mask = (place.format(stem(0)) for place in PLACES[form.layout])
    known = "black" if form.hole == "white" else "white"
    lines = [
        "# Test pairs of lbam-bench\n",
        f"{len(manifest.pairs)} pairs of {manifest.size}x{manifest.size} pixels, lossless PNG, "
        f"manifest {manifest.hash}.\n",
        f"- `{image}` and so on: the images with their holes blanked. A blanked pixel is black: 0 "
        "in all three channels.",
        f"- `{mask}` and so on: their masks, one channel. {form.hole.capitalize()} is hole, "
        f"{known} is known.",
        *([f"- `{TRUTH.format(stem(0))}` and so on: the whole images."] if form.truth else []),
        f"- `{MANIFEST}`: image, crop, mask, hole ratio and bucket of each pair.\n",
        "## Fill them\n",
        *_readers(to, form),
        "\nA program of your own saves one filled picture a pair as PNG, RGB, 8 bits a channel, of "
        f"the same size, under the name of its image, `{stem(0)}.png`.\n",
        "## Measure the outputs\n",
        f"```\n{measure}\n```",
    ]
    return "\n".join(lines) + "\n"


def _readers(to: Path, form: Form) -> Iterator[str]:
    """Yield which programs read the folder, and by which commands."""
    if form.hole == "black":
        yield "IOPaint and LaMa read white as hole: export with `--hole white` for them."
    elif form.layout == "lama":
        yield (
            "LaMa, in its clone:\n\n```\npython3 bin/predict.py model.path=$(pwd)/big-lama "
            f"indir={to.absolute()}/lama outdir=OUTPUTS\n```\n\n"
            "It names its outputs by the masks, `00000_mask.png`, and `evaluate` knows that. It "
            "pads sides to a multiple of 8: use such a `--size`."
        )
    else:
        yield (
            f"IOPaint:\n\n```\niopaint run --model=lama --device=cpu --image={to}/images "
            f"--mask={to}/masks --output=OUTPUTS\n```\n\n"
            "LaMa's own `bin/predict.py` wants images and masks in one folder: export with "
            "`--layout lama`."
        )
