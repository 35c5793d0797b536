"""Contact sheets."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from bench.inpainting import sheet


def test_pictures_stand_side_by_side_below_their_names(tmp_path: Path) -> None:
    colours = {"input": "red", "telea": "green", "full": "blue"}
    pictures = {name: Image.new("RGB", (1024, 640), colour) for name, colour in colours.items()}
    sheet.draw(pictures, tmp_path / "sheets" / "a.png")
    drawn = np.asarray(Image.open(tmp_path / "sheets" / "a.png"))
    assert drawn.shape == (sheet.TEXT + 320, 3 * 512 + 2 * sheet.GAP, 3)
    for number, wanted in enumerate([(255, 0, 0), (0, 128, 0), (0, 0, 255)]):
        left = number * (512 + sheet.GAP)
        assert (drawn[sheet.TEXT :, left : left + 512] == wanted).all()
        assert drawn[: sheet.TEXT, left : left + 512].min() < 100  # a name


def test_a_sheet_older_than_one_of_its_pictures_is_drawn_again(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.png" for name in ("a", "b")}
    for number, file in enumerate([*files.values(), tmp_path / "sheet.png"]):
        file.touch()
        os.utime(file, (number, number))
    assert not sheet.is_newer(tmp_path / "absent.png", files)
    assert sheet.is_newer(tmp_path / "sheet.png", files)
    os.utime(files["a"], (9, 9))
    assert not sheet.is_newer(tmp_path / "sheet.png", files)
