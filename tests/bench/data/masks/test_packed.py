"""Mask files decoded once: the same masks, and what happens to caches that are not whole."""

import logging
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.core.digests import FileDigests
from bench.core.errors import UserError
from bench.data.masks import packed
from bench.data.masks.files import FileMasks
from bench.data.masks.polarity import Polarity, read_mask

SIZE = 30  # 900 pixels are no whole number of bytes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with 40 masks, of several sizes and hole ratios."""
    found, stream = tmp_path / "masks", np.random.default_rng(5)
    found.mkdir()
    for number in range(40):
        white = stream.random((30 + number, 50 - number // 2)) < 0.12 + 0.01 * number
        Image.fromarray(white.astype(np.uint8) * 255).save(found / f"{number:05}.png")
    return found


def opened(
    folder: Path, cache: Path | None, polarity: Polarity = "hole-white", rehash: bool = False
) -> FileMasks:
    return FileMasks.open(folder, polarity, FileDigests(cache, rehash))


def read_all(masks: FileMasks, size: int = SIZE) -> list[np.ndarray]:
    return [masks.read(index, size) for index in range(len(masks.names))]


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, *_: object) -> None:
        raise AssertionError(f"{path} was decoded again")

    monkeypatch.setattr(packed, "read_mask", fail)


@pytest.mark.parametrize("polarity", ["hole-white", "hole-black"])
@pytest.mark.parametrize("size", [SIZE, 32, 64])
def test_cached_masks_are_the_decoded_and_resized_files(
    folder: Path, tmp_path: Path, polarity: Polarity, size: int
) -> None:
    masks = opened(folder, tmp_path / "cache", polarity)
    for name, mask in zip(masks.names, read_all(masks, size), strict=True):
        assert np.array_equal(mask, read_mask(folder / name, polarity, size))
        assert mask.dtype == np.uint8


def test_sizes_and_polarities_share_one_folder(folder: Path, tmp_path: Path) -> None:
    for polarity in ("hole-white", "hole-black"):
        for size in (SIZE, 32):
            read_all(opened(folder, tmp_path / "cache", polarity), size)
    assert len(list((tmp_path / "cache").glob("*.bin"))) == 4
    for polarity in ("hole-white", "hole-black"):
        mask = opened(folder, tmp_path / "cache", polarity).read(7, SIZE)
        assert np.array_equal(mask, read_mask(folder / "00007.png", polarity, SIZE))


def test_training_and_buckets_draw_the_same_masks_with_and_without_a_cache(
    folder: Path, tmp_path: Path
) -> None:
    one, other = opened(folder, None), opened(folder, tmp_path / "cache")
    for position in range(60):
        drawn = [masks.training(SIZE, (0.1, 0.5), 3, position) for masks in (one, other)]
        assert np.array_equal(*drawn)
    buckets = [masks.by_bucket(SIZE, 0, "test", 3) for masks in (one, other)]
    assert buckets[0].keys() == buckets[1].keys()
    for rows in zip(*(found.values() for found in buckets), strict=True):
        assert [name for name, _ in rows[0]] == [name for name, _ in rows[1]]
        assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(*rows, strict=True))
    assert one.digest == other.digest


def test_second_start_does_not_decode(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_all(opened(folder, tmp_path / "cache"))
    forbid_decoding(monkeypatch)
    assert np.array_equal(read_all(opened(folder, tmp_path / "cache")), first)
    moved = folder.rename(tmp_path / "moved")
    assert np.array_equal(read_all(opened(moved, tmp_path / "cache")), first)


def test_two_at_once_decode_each_file_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def slowly(path: Path, polarity: Polarity, size: int) -> np.ndarray:
        decoded.append(path)
        time.sleep(0.01)
        return read_mask(path, polarity, size)

    monkeypatch.setattr(packed, "read_mask", slowly)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: read_all(opened(folder, tmp_path / "cache")), range(2)))
    assert np.array_equal(*both)
    assert len(decoded) == 40


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("suffix", [".json", ".bin"])
@pytest.mark.parametrize("damage", [flipped, half, None], ids=["flipped", "half", "missing"])
def test_damaged_cache_is_made_again_with_a_warning_that_names_the_file(
    folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    suffix: str,
    damage: Callable[[bytes], bytes] | None,
) -> None:
    first = read_all(opened(folder, tmp_path / "cache"))
    (file,) = (p for p in (tmp_path / "cache").glob(f"*{suffix}") if p.name != "digests.json")
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage(file.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(read_all(opened(folder, tmp_path / "cache")), first)
        assert np.array_equal(read_all(opened(folder, tmp_path / "cache")), first)
    assert len(caplog.records) == 1
    assert str(file) in caplog.text
    assert "the masks are decoded again" in caplog.text


def change_unnoticed(path: Path) -> None:
    """Change a bit of a file in its place, and set its time back."""
    facts = path.stat()
    path.write_bytes(flipped(path.read_bytes()))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_rehash_finds_a_change_of_a_mask_that_cannot_be_seen(tmp_path: Path) -> None:
    folder = tmp_path / "bitmaps"  # uncompressed: all pictures have the same number of bytes
    folder.mkdir()
    Image.new("L", (SIZE, SIZE), 127).save(folder / "a.bmp")
    facts = (folder / "a.bmp").stat()
    before = opened(folder, tmp_path / "cache").read(0, SIZE)
    Image.new("L", (SIZE, SIZE), 128).save(folder / "a.bmp")
    os.utime(folder / "a.bmp", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert np.array_equal(opened(folder, tmp_path / "cache").read(0, SIZE), before)
    after = opened(folder, tmp_path / "cache", rehash=True).read(0, SIZE)
    assert np.array_equal(after, 1 - before)


def test_rehash_finds_a_change_of_the_cache_that_cannot_be_seen(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = read_all(opened(folder, tmp_path / "cache"))
    change_unnoticed(next((tmp_path / "cache").glob("*.bin")))
    again = read_all(opened(folder, tmp_path / "cache", rehash=True))
    assert "decoded again" in caplog.text
    assert np.array_equal(again, first)


def test_mask_that_is_not_what_was_hashed_is_refused(folder: Path, tmp_path: Path) -> None:
    Image.new("L", (SIZE, SIZE)).save(folder / "a.bmp")
    masks = opened(folder, tmp_path / "cache")
    assert masks.digest
    change_unnoticed(folder / "a.bmp")
    with pytest.raises(UserError, match=r"a\.bmp has changed .*--rehash"):
        masks.read(0, SIZE)


def test_damaged_mask_is_named_and_leaves_no_half_cache(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "00033.png").read_bytes()
    masks = opened(folder, tmp_path / "cache")
    (folder / "00033.png").write_bytes(half(whole))
    with pytest.raises(UserError, match=r"00033\.png is damaged"):
        masks.read(0, SIZE)
    left = {path.suffix for path in (tmp_path / "cache").iterdir() if path.name != "digests.json"}
    assert left == {".lock"}
    (folder / "00033.png").write_bytes(whole)
    assert len(read_all(opened(folder, tmp_path / "cache"))) == 40


def test_too_little_space_is_told_before_anything_is_decoded(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_decoding(monkeypatch)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 40 * 112))
    with pytest.raises(
        UserError, match=r"40 masks at --size 30 .* in .*cache.* free; lower --size"
    ):
        opened(folder, tmp_path / "cache").read(0, SIZE)
