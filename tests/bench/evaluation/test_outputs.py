"""Outputs from a folder: which files they are, how they are read, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from bench.core.errors import UserError
from bench.evaluation import outputs
from bench.evaluation.outputs import Outputs, check_file, find, read

PIXELS = np.random.default_rng(3).integers(0, 256, (16, 16, 3), np.uint8)

STEMS = [f"{number:05d}" for number in range(9)]


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


def test_outputs_are_found_by_number_in_the_names_that_programs_give(tmp_path: Path) -> None:
    touch(tmp_path, "00002.png", "00000.png", "00001_mask.png")
    names = [path.name for path in find(tmp_path, STEMS[:3])]
    assert names == ["00000.png", "00001_mask.png", "00002.png"]


def test_what_is_missing_is_listed_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "00001.png")
    with pytest.raises(UserError) as told:
        find(tmp_path, STEMS[:3])
    assert "lacks 00000.png, 00002.png of 3 pictures; nothing measured" in str(told.value)
    with pytest.raises(UserError) as told:
        find(tmp_path, STEMS[:9])
    assert "lacks 00000.png, 00002.png, 00003.png and 5 more (8) of 9" in str(told.value)
    with pytest.raises(UserError, match=r"no folder .*nowhere"):
        find(tmp_path / "nowhere", STEMS)


def test_a_pair_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    for name in ("00000_mask.png", "00000.jpg"):
        touch(tmp_path, "00000.png", name)
        with pytest.raises(UserError, match=r"two pictures of one pair, .* remove one"):
            find(tmp_path, STEMS[:1])
        (tmp_path / name).unlink()


def test_other_files_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "00000.png", "00001.png", "00000.txt", "mask.png", ".hidden.png")
    with caplog.at_level(logging.WARNING):
        assert [path.name for path in find(tmp_path, STEMS[:1])] == ["00000.png"]
    assert "no pair has their names: 00000.txt, 00001.png, mask.png\n" in caplog.text
    touch(tmp_path, "000000.png")  # a sixth digit is for pairs that need them
    find(tmp_path, STEMS[:1])
    assert "00000.txt, 000000.png, 00001.png and 1 more (4)" in caplog.text


@pytest.mark.parametrize(
    ("picture", "pixels", "conversions"),
    [
        (Image.fromarray(PIXELS), PIXELS, ()),
        (Image.fromarray(PIXELS[..., 0]), PIXELS[..., [0, 0, 0]], ("grey to RGB",)),
        (Image.fromarray(PIXELS).convert("RGBA"), PIXELS, ("opaque alpha dropped",)),
        (Image.fromarray(PIXELS[..., 0]).convert("LA"), PIXELS[..., [0, 0, 0]],
         ("opaque alpha dropped", "grey to RGB")),
        (Image.fromarray(PIXELS // 64 * 64).quantize(256), None, ("P to RGB",)),
    ],
)  # fmt: skip
def test_pictures_become_rgb_and_it_is_said(
    tmp_path: Path, picture: Image.Image, pixels: np.ndarray | None, conversions: tuple[str, ...]
) -> None:
    picture.save(tmp_path / "a.png")
    output = read(tmp_path / "a.png")
    expected = np.asarray(picture.convert("RGB")) if pixels is None else pixels
    np.testing.assert_array_equal(output.pixels, expected)
    assert (output.format, output.conversions) == ("PNG", conversions)


def test_a_picture_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3  # upside down
    Image.fromarray(PIXELS).save(tmp_path / "a.png", exif=exif)
    output = read(tmp_path / "a.png")
    np.testing.assert_array_equal(output.pixels, PIXELS[::-1, ::-1])
    assert output.conversions == ("turned upright by EXIF",)


def test_transparent_pixels_and_sixteen_bits_are_refused(tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "a.png"
    see_through = Image.fromarray(PIXELS).convert("RGBA")
    see_through.putpixel((3, 3), (1, 2, 3, 254))
    see_through.save(path)
    with pytest.raises(UserError, match=f"{path} has transparent pixels; save it as RGB"):
        read(path)
    for sixteen in (PIXELS.astype(np.uint16) * 257, PIXELS[..., 0].astype(np.uint16) * 257):
        cv2.imwrite(str(path), sixteen)
        with pytest.raises(UserError, match=f"{path} has more than 8 bits a channel"):
            read(path)


def test_size_and_format_are_checked_by_content(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(path)
    check_file(path, read(path), 16, lossy=False)
    with pytest.raises(UserError, match=f"{path} is 16x16, and the test pairs are 32x32"):
        check_file(path, read(path), 32, lossy=False)
    Image.fromarray(PIXELS).save(path, "JPEG")
    with pytest.raises(UserError, match=f"{path} is JPEG, .* --lossy"):
        check_file(path, read(path), 16, lossy=False)
    check_file(path, read(path), 16, lossy=True)


def test_outputs_stand_in_the_place_of_a_network(tmp_path: Path) -> None:
    files = [tmp_path / f"{n}.png" for n in range(3)]
    for number, file in enumerate(files):
        Image.fromarray(PIXELS // (number + 1)).save(file)
    found = Outputs(files).of([2, 0])
    assert found.shape == (2, 3, 16, 16) and found.dtype == torch.float32
    whole = (found * 255).round().byte().permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(whole, [PIXELS // 3, PIXELS])
    assert outputs.LOSSLESS == ("PNG", "BMP")
