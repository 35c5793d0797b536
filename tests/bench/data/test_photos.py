import logging
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.core.digests import FileDigests
from bench.core.errors import UserError
from bench.data import photos
from bench.data.images.decode import read_rgb, resize_shorter
from bench.data.images.source import list_folder
from bench.data.photos import Photos, load_photos


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise AssertionError(f"{path} was decoded again")

    monkeypatch.setattr(photos, "read_rgb", fail)


def test_content_is_the_decoded_and_resized_photograph(album: Path, tmp_path: Path) -> None:
    photos = load_photos(list_folder(album), 48, 32, tmp_path / "cache")
    assert photos.names == ["a.png", "b.png", "c.png"]
    assert len(photos) == 3
    for index, name in enumerate(photos.names):
        expected = resize_shorter(read_rgb(album / name), 48)
        assert min(photos[index].shape[:2]) == 48
        assert photos.shapes[index] == expected.shape[:2]
        assert np.array_equal(photos[index], expected)


def test_photographs_cannot_be_written_to(photos: Photos) -> None:
    with pytest.raises(ValueError, match="read-only"):
        photos[0][0, 0, 0] = 1


def test_second_load_does_not_decode(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_photos(list_folder(album), 48, 32, tmp_path / "cache")
    forbid_decoding(monkeypatch)
    second = load_photos(list_folder(album), 48, 32, tmp_path / "cache")
    assert second.digest == first.digest
    assert all(np.array_equal(second[i], first[i]) for i in range(3))


def test_other_size_is_another_cache(album: Path, tmp_path: Path) -> None:
    for resize in (48, 40):
        photos = load_photos(list_folder(album), resize, 32, tmp_path / "cache")
        assert [min(shape) for shape in photos.shapes] == [resize] * 3


def test_changed_file_is_decoded_again(album: Path, tmp_path: Path) -> None:
    before = load_photos(list_folder(album), 48, 32, tmp_path / "cache")
    Image.new("RGB", (90, 70), (1, 2, 3)).save(album / "a.png")
    after = load_photos(list_folder(album), 48, 32, tmp_path / "cache")
    assert (after[0] == [1, 2, 3]).all()
    assert np.array_equal(after[1], before[1])
    assert after.digest != before.digest


def test_changed_file_of_equal_size_is_decoded_again(tmp_path: Path) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    path = folder / "a.bmp"  # uncompressed: both pictures have the same number of bytes
    Image.new("RGB", (40, 40), (1, 2, 3)).save(path)
    facts = path.stat()
    load_photos(list_folder(folder), 40, 32, tmp_path / "cache")
    Image.new("RGB", (40, 40), (4, 5, 6)).save(path)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 10**9))
    assert path.stat().st_size == facts.st_size
    photos = load_photos(list_folder(folder), 40, 32, tmp_path / "cache")
    assert (photos[0] == [4, 5, 6]).all()


def test_digest_does_not_depend_on_where_the_files_lie(album: Path, tmp_path: Path) -> None:
    shutil.copytree(album, tmp_path / "elsewhere", copy_function=shutil.copy)
    one = load_photos(list_folder(album), 48, 32, tmp_path / "cache")
    other = load_photos(list_folder(tmp_path / "elsewhere"), 48, 32, tmp_path / "other cache")
    assert one.digest == other.digest


def test_digest_depends_on_bytes_and_names(album: Path, tmp_path: Path) -> None:
    def digest() -> str:
        return load_photos(list_folder(album), 48, 32, tmp_path / "cache").digest

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
        load_photos(list_folder(album), 80, 64, tmp_path / "cache")


def test_image_as_large_as_the_crop_is_taken(album: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(album / "exact.png")
    assert len(load_photos(list_folder(album), 80, 64, tmp_path / "cache")) == 4


def test_damaged_image_is_named_and_leaves_no_half_cache(album: Path, tmp_path: Path) -> None:
    whole = (album / "b.png").read_bytes()
    (album / "b.png").write_bytes(whole[: len(whole) // 2])
    folder = tmp_path / "cache"
    with pytest.raises(UserError, match=r"b\.png is damaged"):
        load_photos(list_folder(album), 48, 32, folder)
    assert [p.name for p in folder.iterdir() if p.suffix != ".lock"] == []
    (album / "b.png").write_bytes(whole)
    assert len(load_photos(list_folder(album), 48, 32, folder)) == 3


def change_unnoticed(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change a file in its place, and set its time back."""
    facts = path.stat()
    path.write_bytes(change(path.read_bytes()))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("suffix", [".json", ".bin"])
@pytest.mark.parametrize(
    "damage",
    [flipped, lambda content: content[:-3], lambda _: b"", lambda _: b"{}", lambda _: b"[1]", None],
    ids=["flipped", "truncated", "empty", "no sum", "a list", "missing"],
)
def test_damaged_cache_is_made_again_with_a_warning_that_names_the_file(
    album: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    suffix: str,
    damage: Callable[[bytes], bytes] | None,
) -> None:
    folder = tmp_path / "cache"
    before = load_photos(list_folder(album), 48, 32, folder, FileDigests(folder))
    expected = [before[i].copy() for i in range(3)]
    (file,) = (path for path in folder.glob(f"*{suffix}") if path.name != "digests.json")
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage(file.read_bytes()))
    with caplog.at_level(logging.WARNING):
        after = load_photos(list_folder(album), 48, 32, folder, FileDigests(folder))
    assert len(caplog.records) == 1
    assert str(file) in caplog.text
    assert "decoded again" in caplog.text
    assert all(np.array_equal(after[i], expected[i]) for i in range(3))
    assert load_photos(list_folder(album), 48, 32, folder, FileDigests(folder)).names == after.names
    assert len(caplog.records) == 1


def test_rehash_finds_a_change_of_the_pixels_that_cannot_be_seen(
    album: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "cache"
    before = load_photos(list_folder(album), 48, 32, folder, FileDigests(folder))[0].copy()
    change_unnoticed(next(folder.glob("*.bin")), flipped)
    with caplog.at_level(logging.WARNING):
        load_photos(list_folder(album), 48, 32, folder, FileDigests(folder))
        assert caplog.text == ""  # an unchanged file costs no more than a look
        again = load_photos(list_folder(album), 48, 32, folder, FileDigests(folder, rehash=True))
    assert "decoded again" in caplog.text
    assert np.array_equal(again[0], before)


def test_rehash_finds_a_change_of_a_photograph_that_cannot_be_seen(tmp_path: Path) -> None:
    album, folder = tmp_path / "album", tmp_path / "cache"
    album.mkdir()
    Image.new("RGB", (40, 40), (1, 2, 3)).save(album / "a.bmp")
    before = load_photos(list_folder(album), 40, 32, folder, FileDigests(folder))
    change_unnoticed(album / "a.bmp", lambda content: content[:-3] + b"\7\7\7")
    same = load_photos(list_folder(album), 40, 32, folder, FileDigests(folder))
    assert same.digest == before.digest
    after = load_photos(list_folder(album), 40, 32, folder, FileDigests(folder, rehash=True))
    assert after.digest != before.digest
    assert (after[0] == 7).any()


def test_photograph_that_is_not_what_was_hashed_is_refused(tmp_path: Path) -> None:
    album, folder = tmp_path / "album", tmp_path / "cache"
    album.mkdir()
    Image.new("RGB", (40, 40), (1, 2, 3)).save(album / "a.bmp")
    FileDigests(folder).of(album / "a.bmp")
    change_unnoticed(album / "a.bmp", flipped)
    with pytest.raises(UserError, match=r"a\.bmp has changed .*--rehash"):
        load_photos(list_folder(album), 40, 32, folder, FileDigests(folder))


def test_too_little_space_is_told_before_anything_is_decoded(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_decoding(monkeypatch)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 3 * 48**2))
    with pytest.raises(UserError, match=r"3 photographs at --resize 48 .* in .*cache.* free"):
        load_photos(list_folder(album), 48, 32, tmp_path / "cache")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_failed_write_names_the_file_and_leaves_nothing(album: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    with files_of_at_most(10_000), pytest.raises(UserError, match=r"cannot write .*\.bin: "):
        load_photos(list_folder(album), 48, 32, folder)
    assert [p.name for p in folder.iterdir() if p.suffix != ".lock"] == []


def test_line_of_pixels_is_refused_before_it_is_resized(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (60_000, 1)).save(album / "line.png")
    real = photos.resize_shorter

    def resized(pixels: np.ndarray, shorter: int) -> np.ndarray:
        assert pixels.shape[0] > 1
        return real(pixels, shorter)

    monkeypatch.setattr(photos, "resize_shorter", resized)
    with pytest.raises(UserError, match=r"line\.png is 1 pixels"):
        load_photos(list_folder(album), 48, 32, tmp_path / "cache")
