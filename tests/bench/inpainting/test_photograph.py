"""Files of every kind: what a filled picture keeps, and what is told."""

from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from bench.core.errors import UserError
from bench.inpainting import photograph

SIZE = (16, 24)
HOLE = np.zeros(SIZE, bool)
HOLE[4:9, 5:12] = True
RED = torch.tensor([1.0, 0, 0])[None, :, None, None].expand(1, 3, *SIZE)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(channels: int = 3, dtype: Any = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, top, (*SIZE, channels), dtype, endpoint=True)


def refilled(source: Path, out: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Fill a file's hole with red, and return what was saved, and what is told."""
    read = photograph.read(source)
    photograph.save(out, read, RED, HOLE)
    with Image.open(out) as picture:
        return np.asarray(picture), read.told(out.suffix)


def test_rgb_is_kept_bit_for_bit_and_nothing_is_told(tmp_path: Path) -> None:
    Image.fromarray(noise()).save(tmp_path / "a.png", icc_profile=PROFILE)
    saved, told = refilled(tmp_path / "a.png", tmp_path / "out" / "a.png")
    assert np.array_equal(saved[~HOLE], noise()[~HOLE]) and (saved[HOLE] == [255, 0, 0]).all()
    assert told == ()
    assert Image.open(tmp_path / "out" / "a.png").info["icc_profile"] == PROFILE


def test_alpha_is_kept_with_the_colours_below_it_and_opaque_in_the_hole(tmp_path: Path) -> None:
    Image.fromarray(noise(4)).save(tmp_path / "a.png")
    saved, told = refilled(tmp_path / "a.png", tmp_path / "out.png")
    assert np.array_equal(saved[~HOLE], noise(4)[~HOLE])
    assert (saved[HOLE] == [255, 0, 0, 255]).all()
    assert told == ("alpha is kept, and opaque in the hole",)


def test_alpha_stands_over_white_where_the_format_has_none(tmp_path: Path) -> None:
    pixels = noise(4)
    pixels[..., 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    saved, told = refilled(tmp_path / "a.png", tmp_path / "out.bmp")
    assert (saved[~HOLE] == 255).all() and (saved[HOLE] == [255, 0, 0]).all()
    assert told == ("alpha is lost in .bmp: the picture stands over white",)


def test_a_method_sees_transparent_pixels_as_white(tmp_path: Path) -> None:
    Image.new("RGBA", SIZE[::-1], (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert (photograph.read(tmp_path / "a.png").tensor() == 1).all()


def test_grey_stays_grey_with_its_alpha(tmp_path: Path) -> None:
    Image.fromarray(noise(1)[..., 0]).save(tmp_path / "l.png")
    saved, told = refilled(tmp_path / "l.png", tmp_path / "out.png")
    assert np.array_equal(saved[~HOLE], noise(1)[..., 0][~HOLE]) and (saved[HOLE] == 76).all()
    assert told == ("grey stays grey",)
    Image.fromarray(noise(2), "LA").save(tmp_path / "la.png")
    saved, told = refilled(tmp_path / "la.png", tmp_path / "out.png")
    assert np.array_equal(saved[~HOLE], noise(2)[~HOLE]) and (saved[HOLE] == [76, 255]).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_become_8_and_that_is_told(tmp_path: Path, channels: int) -> None:
    deep = noise(channels, np.uint16)
    assert cv2.imwrite(str(tmp_path / "a.png"), deep[..., ::-1])
    saved, told = refilled(tmp_path / "a.png", tmp_path / "out.png")
    wanted = deep[..., 0] if channels == 1 else deep
    assert np.abs(saved[~HOLE] - wanted[~HOLE] / 257.0).max() < 1
    assert told[0] == "more than 8 bits a channel become 8"


def test_a_turned_picture_is_saved_upright_without_its_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    Image.fromarray(np.rot90(noise(), 1)).save(tmp_path / "a.png", exif=exif)
    saved, told = refilled(tmp_path / "a.png", tmp_path / "out.png")
    assert np.array_equal(saved[~HOLE], noise()[~HOLE])
    assert told == ("turned upright by its EXIF orientation",)
    assert not Image.open(tmp_path / "out.png").getexif()


def test_cmyk_becomes_rgb_without_its_profile(tmp_path: Path) -> None:
    Image.new("CMYK", SIZE[::-1], (0, 255, 255, 0)).save(tmp_path / "a.jpg", icc_profile=b"cmyk")
    saved, told = refilled(tmp_path / "a.jpg", tmp_path / "out.png")
    assert np.abs(saved.astype(int) - [255, 0, 0]).max() <= 3
    assert told == ("CMYK becomes RGB", "its CMYK profile is left out")
    assert "icc_profile" not in Image.open(tmp_path / "out.png").info


def test_a_palette_becomes_rgb(tmp_path: Path) -> None:
    indexed = Image.fromarray(noise()).quantize(8)
    indexed.save(tmp_path / "a.png")
    saved, told = refilled(tmp_path / "a.png", tmp_path / "out.png")
    assert np.array_equal(saved[~HOLE], np.asarray(indexed.convert("RGB"))[~HOLE])
    assert told == ("a palette becomes RGB",)


def test_only_the_first_of_several_frames_is_filled(tmp_path: Path) -> None:
    frames = [Image.new("L", SIZE[::-1], level) for level in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    saved, told = refilled(tmp_path / "a.gif", tmp_path / "out.png")
    assert (saved[~HOLE] == 10).all()
    assert "the first of 2 pictures in the file" in told


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".gif"])
def test_changed_bytes_are_read_or_named(tmp_path: Path, suffix: str) -> None:
    path, stream = tmp_path / f"odd{suffix}", np.random.default_rng(3)
    frames = [Image.fromarray(noise()), Image.fromarray(255 - noise())]
    several = {"save_all": True, "append_images": frames[1:]} if suffix != ".jpg" else {}
    frames[0].save(path, exif=Image.Exif(), **several)
    whole = path.read_bytes()
    for _ in range(60):
        content = bytearray(whole[: int(stream.integers(len(whole) + 1))])
        for place in stream.integers(len(whole), size=3):
            content[place : place + 1] = stream.bytes(1)
        path.write_bytes(content)
        try:
            assert photograph.read(path).pixels.shape[2] == 3
        except UserError as error:
            assert str(path) in str(error)


def test_a_jpeg_is_saved_in_high_quality(tmp_path: Path) -> None:
    smooth = np.asarray(Image.fromarray(noise()).resize((240, 160), Image.Resampling.BICUBIC))
    Image.fromarray(smooth).save(tmp_path / "a.png")
    read, out = photograph.read(tmp_path / "a.png"), BytesIO()
    Image.fromarray(smooth).save(out, "jpeg")
    photograph.save(tmp_path / "a.jpg", read, read.tensor(), np.zeros((160, 240), bool))
    errors = [
        np.abs(np.asarray(Image.open(file), int) - smooth).mean()
        for file in (tmp_path / "a.jpg", out)
    ]
    assert errors[0] < errors[1] / 2


def test_numbers_that_are_none_are_not_saved_as_black(tmp_path: Path) -> None:
    Image.fromarray(noise()).save(tmp_path / "a.png")
    read, filled = photograph.read(tmp_path / "a.png"), RED.clone()
    filled[..., 0, 0] = torch.nan  # no hole: not used
    photograph.save(tmp_path / "b.png", read, filled, HOLE)
    filled[..., 5, 6] = torch.nan
    with pytest.raises(UserError, match="NaN or infinity"):
        photograph.save(tmp_path / "c.png", read, filled, HOLE)
    assert not (tmp_path / "c.png").exists()


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    Image.fromarray(noise()).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"unknown picture format; use \.png"):
        refilled(tmp_path / "a.png", tmp_path / "a.xyz")
