import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from bench.core.errors import UserError
from bench.data.images.decode import read_rgb, resize_shorter

ORIENTATION = 0x0112
STORED_ON_ITS_SIDE = 6  # shown upright after a quarter turn clockwise


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)


def tagged(picture: Image.Image, path: Path) -> Path:
    exif = Image.Exif()
    exif[ORIENTATION] = STORED_ON_ITS_SIDE
    picture.save(path, exif=exif)
    return path


def test_png_is_upright_by_its_exif_orientation(tmp_path: Path) -> None:
    stored = noise(6, 9)
    path = tagged(Image.fromarray(stored), tmp_path / "turned.png")
    assert np.array_equal(read_rgb(path), np.rot90(stored, -1))


def test_jpeg_is_upright_by_its_exif_orientation(tmp_path: Path) -> None:
    path = tagged(Image.fromarray(noise(16, 24)), tmp_path / "turned.jpg")
    with Image.open(path) as stored:
        expected = np.rot90(np.asarray(stored), -1)
    assert read_rgb(path).shape == (24, 16, 3)
    assert np.array_equal(read_rgb(path), expected)


def test_16_bit_gray_is_scaled_to_8_bits(tmp_path: Path) -> None:
    samples = np.array([[0, 128, 129, 257], [32768, 65535, 65407, 65406]], np.uint16)
    path = tmp_path / "gray16.png"
    Image.fromarray(samples).save(path)
    with Image.open(path) as picture:
        assert picture.mode.startswith("I")
    gray = read_rgb(path)
    assert gray[..., 0].tolist() == [[0, 0, 1, 1], [128, 255, 255, 254]]
    assert (gray == gray[..., :1]).all()


def test_float_gray_lies_between_0_and_1(tmp_path: Path) -> None:
    path = tmp_path / "float.tiff"
    Image.fromarray(np.array([[0.0, 0.5, 1.0, 2.0, -1.0]], np.float32)).save(path)
    assert read_rgb(path)[0, :, 1].tolist() == [0, 128, 255, 255, 0]


def test_palette_is_expanded(tmp_path: Path) -> None:
    picture = Image.new("P", (3, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50, 1, 2, 3])
    picture.putdata([1, 0, 2])
    picture.save(tmp_path / "palette.png")
    assert read_rgb(tmp_path / "palette.png").tolist() == [
        [[200, 100, 50], [10, 20, 30], [1, 2, 3]]
    ]


def test_transparent_palette_entry_becomes_white(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putdata([0, 1])
    picture.save(tmp_path / "palette.png", transparency=1)
    assert read_rgb(tmp_path / "palette.png").tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_gray_is_repeated_over_channels(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 77, 255]], np.uint8)).save(tmp_path / "gray.png")
    assert read_rgb(tmp_path / "gray.png").tolist() == [[[0] * 3, [77] * 3, [255] * 3]]


def test_gray_with_alpha_stands_over_white(tmp_path: Path) -> None:
    picture = Image.new("LA", (3, 1))
    picture.putdata([(100, 255), (100, 0), (0, 51)])
    picture.save(tmp_path / "la.png")
    # 0 at alpha 51/255 over white: 255 * (1 - 0.2) = 204
    assert read_rgb(tmp_path / "la.png").tolist() == [[[100] * 3, [255] * 3, [204] * 3]]


def test_alpha_stands_over_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (3, 1))
    picture.putdata([(10, 20, 30, 255), (10, 20, 30, 0), (255, 155, 5, 102)])
    picture.save(tmp_path / "rgba.png")
    # Third: 255 - 0.4 * (255 - value)
    assert read_rgb(tmp_path / "rgba.png").tolist() == [
        [[10, 20, 30], [255, 255, 255], [255, 215, 155]]
    ]


def test_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "cmyk.jpg"
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(path, quality=95)
    pixels = read_rgb(path).astype(int)
    assert pixels.shape == (16, 16, 3)
    assert np.abs(pixels - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_truncated_picture_is_named(tmp_path: Path, suffix: str) -> None:
    whole, path = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    Image.fromarray(noise(64, 64)).save(whole)
    for share in (0.3, 0.7):
        path.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
        with pytest.raises(UserError, match=f"cut\\{suffix} is damaged or truncated"):
            read_rgb(path)


@pytest.mark.parametrize("content", [b"", b"not a picture at all"])
def test_file_that_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.jpg"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"notes\.jpg is not an image"):
        read_rgb(path)


@pytest.mark.parametrize("error", [struct.error("not an integer"), EOFError(), MemoryError()])
def test_any_failure_of_the_decoder_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_: Image.Image) -> None:
        raise error

    Image.fromarray(noise(8, 8)).save(tmp_path / "odd.png")
    monkeypatch.setattr(ImageOps, "exif_transpose", fail)
    with pytest.raises(UserError, match=r"odd\.png is damaged or truncated: \w"):
        read_rgb(tmp_path / "odd.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".gif", ".bmp"])
def test_changed_bytes_are_read_or_named(tmp_path: Path, suffix: str) -> None:
    path, stream = tmp_path / f"odd{suffix}", np.random.default_rng(3)
    Image.fromarray(noise(16, 16)).save(path)
    whole = path.read_bytes()
    for _ in range(20):
        content = bytearray(whole[: int(stream.integers(len(whole) + 1))])
        for place in stream.integers(len(whole), size=3):
            content[place : place + 1] = stream.bytes(1)
        path.write_bytes(content)
        try:
            assert read_rgb(path).shape[2] == 3
        except UserError as error:
            assert str(path) in str(error)
            assert "\n" not in str(error)


def test_picture_of_too_many_pixels_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(noise(8, 8)).save(tmp_path / "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 31)
    with pytest.raises(UserError, match=r"huge\.png has more than .* million pixels"):
        read_rgb(tmp_path / "huge.png")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file .*absent\.png"):
        read_rgb(tmp_path / "absent.png")


@pytest.mark.parametrize(
    ("height", "width", "shorter", "expected"),
    [
        (30, 60, 15, (15, 30)),
        (60, 30, 15, (30, 15)),
        (50, 75, 100, (100, 150)),
        (481, 321, 350, (524, 350)),
        (33, 33, 7, (7, 7)),
        (20, 30, 20, (20, 30)),
    ],
)
def test_resize_shorter_is_exact_and_keeps_the_aspect(
    height: int, width: int, shorter: int, expected: tuple[int, int]
) -> None:
    assert resize_shorter(noise(height, width), shorter).shape == (*expected, 3)


def test_resize_shorter_is_antialiased() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    # Every second column picked without a filter would be all black or all white.
    assert np.abs(resize_shorter(stripes, 16).astype(int) - 128).max() < 30


def test_picture_of_the_wanted_size_is_untouched() -> None:
    pixels = noise(20, 30)
    assert np.array_equal(resize_shorter(pixels, 20), pixels)
