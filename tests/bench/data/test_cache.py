import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.core.errors import UserError
from bench.data import cache
from bench.data.images.decode import read_rgb, resize_shorter
from bench.data.images.source import list_folder


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise AssertionError(f"{path} was decoded again")

    monkeypatch.setattr(cache, "read_rgb", fail)


def test_content_is_the_decoded_and_resized_photograph(album: Path, tmp_path: Path) -> None:
    photos = cache.load(list_folder(album), 48, 32, tmp_path / "cache")
    assert photos.names == ["a.png", "b.png", "c.png"]
    assert len(photos) == 3
    for index, name in enumerate(photos.names):
        expected = resize_shorter(read_rgb(album / name), 48)
        assert min(photos[index].shape[:2]) == 48
        assert photos.shapes[index] == expected.shape[:2]
        assert np.array_equal(photos[index], expected)


def test_photographs_cannot_be_written_to(photos: cache.Photos) -> None:
    with pytest.raises(ValueError, match="read-only"):
        photos[0][0, 0, 0] = 1


def test_second_load_does_not_decode(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cache.load(list_folder(album), 48, 32, tmp_path / "cache")
    forbid_decoding(monkeypatch)
    second = cache.load(list_folder(album), 48, 32, tmp_path / "cache")
    assert second.digest == first.digest
    assert all(np.array_equal(second[i], first[i]) for i in range(3))


def test_other_size_is_another_cache(album: Path, tmp_path: Path) -> None:
    for resize in (48, 40):
        photos = cache.load(list_folder(album), resize, 32, tmp_path / "cache")
        assert [min(shape) for shape in photos.shapes] == [resize] * 3


def test_changed_file_is_decoded_again(album: Path, tmp_path: Path) -> None:
    before = cache.load(list_folder(album), 48, 32, tmp_path / "cache")
    Image.new("RGB", (90, 70), (1, 2, 3)).save(album / "a.png")
    after = cache.load(list_folder(album), 48, 32, tmp_path / "cache")
    assert (after[0] == [1, 2, 3]).all()
    assert np.array_equal(after[1], before[1])
    assert after.digest != before.digest


def test_changed_file_of_equal_size_is_decoded_again(tmp_path: Path) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    path = folder / "a.bmp"  # uncompressed: both pictures have the same number of bytes
    Image.new("RGB", (40, 40), (1, 2, 3)).save(path)
    facts = path.stat()
    cache.load(list_folder(folder), 40, 32, tmp_path / "cache")
    Image.new("RGB", (40, 40), (4, 5, 6)).save(path)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 10**9))
    assert path.stat().st_size == facts.st_size
    photos = cache.load(list_folder(folder), 40, 32, tmp_path / "cache")
    assert (photos[0] == [4, 5, 6]).all()


def test_digest_does_not_depend_on_where_the_files_lie(album: Path, tmp_path: Path) -> None:
    shutil.copytree(album, tmp_path / "elsewhere", copy_function=shutil.copy)
    one = cache.load(list_folder(album), 48, 32, tmp_path / "cache")
    other = cache.load(list_folder(tmp_path / "elsewhere"), 48, 32, tmp_path / "other cache")
    assert one.digest == other.digest


def test_digest_depends_on_bytes_and_names(album: Path, tmp_path: Path) -> None:
    def digest() -> str:
        return cache.load(list_folder(album), 48, 32, tmp_path / "cache").digest

    found = [digest()]
    (album / "c.png").rename(album / "d.png")
    found.append(digest())
    with Image.open(album / "d.png") as picture:
        picture.load()
    picture.save(album / "d.png", compress_level=0)  # the same pixels in other bytes
    found.append(digest())
    assert len(set(found)) == 3


def test_image_smaller_than_the_crop_is_named_with_a_mend(album: Path, tmp_path: Path) -> None:
    Image.new("RGB", (100, 63)).save(album / "low.png")
    with pytest.raises(UserError, match=r"low\.png is 63 pixels .* crop of 64; .*--size"):
        cache.load(list_folder(album), 80, 64, tmp_path / "cache")


def test_image_as_large_as_the_crop_is_taken(album: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(album / "exact.png")
    assert len(cache.load(list_folder(album), 80, 64, tmp_path / "cache")) == 4


def test_damaged_image_is_named_and_leaves_no_half_cache(album: Path, tmp_path: Path) -> None:
    whole = (album / "b.png").read_bytes()
    (album / "b.png").write_bytes(whole[: len(whole) // 2])
    folder = tmp_path / "cache"
    with pytest.raises(UserError, match=r"b\.png is damaged"):
        cache.load(list_folder(album), 48, 32, folder)
    assert [p.name for p in folder.iterdir() if p.suffix != ".lock"] == []
    (album / "b.png").write_bytes(whole)
    assert len(cache.load(list_folder(album), 48, 32, folder)) == 3
