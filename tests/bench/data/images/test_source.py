import hashlib
import io
import logging
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.core.errors import UserError
from bench.data.images import bsds500
from bench.data.images.source import SPLITS, Split, list_folder, pictures


def save(path: Path, colour: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (colour, 0, 0)).save(path)
    return path


def names(spec: str, split: Split, root: Path, **options: bool) -> list[str]:
    return [p.name for p in pictures(spec, split, root, **options)]


def test_sample_photographs_exist_and_splits_are_disjoint(tmp_path: Path) -> None:
    paths = [p.path for split in SPLITS for p in pictures("sample", split, tmp_path)]
    assert all(path.is_file() for path in paths)
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in paths]
    assert len(set(digests)) == len(paths) == 10


def test_stereo_pair_stands_on_one_side(tmp_path: Path) -> None:
    both = {"motorcycle_left", "motorcycle_right"}
    sides = [both & set(names("sample", split, tmp_path)) for split in SPLITS]
    assert sorted(map(len, sides)) == [0, 0, 2]


def test_folder_is_searched_below_sorted_and_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b.png", "a/z.JPG", "a/deep/c.png", ".hidden.png", "a/._z.jpg"):
        save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    found = list_folder(tmp_path)
    assert [p.name for p in found] == ["a/deep/c.png", "a/z.JPG", "b.png"]
    assert all(p.path == tmp_path / p.name for p in found)


def test_hidden_folder_is_skipped(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / ".thumbnails" / "a.png")
    assert [p.name for p in list_folder(tmp_path)] == ["a.png"]


def test_names_that_are_no_utf8_are_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (b"caf\xe9.png", b"\xff/b.png", "café.png".encode()):
        save(tmp_path / os.fsdecode(name))
    with caplog.at_level(logging.WARNING):
        found = list_folder(tmp_path)
    assert [p.name for p in found] == ["café.png"]
    assert len(caplog.records) == 1
    assert f"{tmp_path}: 2 files are left out" in caplog.text
    assert r"'caf\udce9.png', '\udcff/b.png'" in caplog.text
    found[0].path.unlink()
    with pytest.raises(UserError, match="holds no images"):
        list_folder(tmp_path)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no folder .*absent"):
        pictures(f"folder:{tmp_path / 'absent'}", "train", tmp_path)


def test_folder_without_images_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("no picture")
    with pytest.raises(UserError, match=r"empty holds no images .*\.jpg"):
        pictures(f"folder:{empty}", "train", tmp_path)


def test_split_folders_are_used(tmp_path: Path) -> None:
    for split in SPLITS:
        save(tmp_path / split / f"{split}.png")
    for split in SPLITS:
        assert names(f"folder:{tmp_path}", split, tmp_path) == [f"{split}.png"]


def test_missing_split_folder_is_named(tmp_path: Path) -> None:
    save(tmp_path / "train" / "a.png")
    with pytest.raises(UserError, match=r"no folder .*test"):
        pictures(f"folder:{tmp_path}", "test", tmp_path)


def test_drawn_split_is_disjoint_complete_and_about_80_10_10(tmp_path: Path) -> None:
    everything = {save(tmp_path / f"{i:03d}.png").name for i in range(200)}
    parts = [names(f"folder:{tmp_path}", split, tmp_path) for split in SPLITS]
    assert set().union(*parts) == everything
    assert sum(map(len, parts)) == len(everything)
    train, val, test = map(len, parts)
    assert 140 <= train <= 180
    assert 8 <= val <= 32
    assert 8 <= test <= 32


def test_drawn_split_does_not_depend_on_where_the_folder_lies(tmp_path: Path) -> None:
    for i in range(40):
        save(tmp_path / "one" / f"{i}.png")
        save(tmp_path / "other" / f"{i}.png", colour=9)
    for split in SPLITS:
        here, there = (names(f"folder:{tmp_path / f}", split, tmp_path) for f in ("one", "other"))
        assert here == there


def test_adding_files_moves_no_file_to_another_split(tmp_path: Path) -> None:
    for i in range(60):
        save(tmp_path / f"{i}.png")
    before = {split: set(names(f"folder:{tmp_path}", split, tmp_path)) for split in SPLITS}
    for i in range(60):
        save(tmp_path / f"more{i}.png")
    for split in SPLITS:
        assert before[split] <= set(names(f"folder:{tmp_path}", split, tmp_path))


def test_whole_folder_is_not_divided(tmp_path: Path) -> None:
    for i in range(30):
        save(tmp_path / f"{i}.png")
    assert len(names(f"folder:{tmp_path}", "test", tmp_path, for_testing_alone=True)) == 30


def test_whole_folder_with_splits_gives_the_split(tmp_path: Path) -> None:
    for split in SPLITS:
        save(tmp_path / split / f"{split}.png")
    assert names(f"folder:{tmp_path}", "test", tmp_path, for_testing_alone=True) == ["test.png"]


def test_too_few_images_to_split_is_an_error_with_a_mend(tmp_path: Path) -> None:
    save(tmp_path / "only.png")
    # One file lies in one split; the two others are empty.
    failed = []
    for split in SPLITS:
        try:
            pictures(f"folder:{tmp_path}", split, tmp_path)
        except UserError as error:
            failed.append(str(error))
    assert len(failed) == 2
    assert all("too few images (1)" in text and "train, val and test" in text for text in failed)


@pytest.mark.parametrize(
    ("spec", "near"), [("bsd500", "bsds500"), ("samples", "sample"), ("folder:", "folder:PATH")]
)
def test_unknown_source_gives_the_nearest_names(tmp_path: Path, spec: str, near: str) -> None:
    with pytest.raises(UserError, match=f"unknown image source '{spec}'; did you mean.*{near}"):
        pictures(spec, "train", tmp_path)


@pytest.mark.parametrize("layout", ["bsds500", ".", bsds500.INSIDE])
def test_bsds500_is_found_in_each_layout(tmp_path: Path, layout: str) -> None:
    for split in SPLITS:
        save(tmp_path / layout / split / f"{split}.jpg")
    assert bsds500.locate(tmp_path) == tmp_path / layout
    for split in SPLITS:
        assert names("bsds500", split, tmp_path) == [f"{split}.jpg"]


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny BSDS500 archive behind the download's URL, with its digests."""
    path = tmp_path / "served" / "bsds.tgz"
    path.parent.mkdir()
    digests = {}
    with tarfile.open(path, "w:gz") as tar:
        for number, split in enumerate(SPLITS):
            content = io.BytesIO()
            pixels = np.random.default_rng(number).integers(0, 256, (48, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(content, "JPEG")
            for name, data in ((f"{split}1.jpg", content.getvalue()), ("Thumbs.db", b"junk")):
                member = tarfile.TarInfo(f"{bsds500.INSIDE}/{split}/{name}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
            named = f"{split}1.jpg".encode() + content.getvalue()
            digests[split] = hashlib.sha256(named).hexdigest()
    monkeypatch.setattr(bsds500, "URL", path.as_uri())
    monkeypatch.setattr(bsds500, "DIGESTS", digests)
    return path


def test_download_with_the_right_digests_lands(tmp_path: Path, archive: Path) -> None:
    root = tmp_path / "root"
    assert bsds500.locate(root) == root / "bsds500"
    landed = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.*"))
    assert landed == [f"bsds500/{split}/{split}1.jpg" for split in sorted(SPLITS)]
    archive.unlink()  # found again, not fetched again
    assert names("bsds500", "val", root) == ["val1.jpg"]


def test_download_with_a_wrong_digest_leaves_nothing(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(bsds500.DIGESTS, "test", "0" * 64)
    root = tmp_path / "root"
    with pytest.raises(UserError, match="BSDS500 test split is damaged"):
        bsds500.locate(root)
    assert list(root.iterdir()) == []


def test_failed_download_says_where_to_put_the_data(tmp_path: Path, archive: Path) -> None:
    archive.unlink()
    root = tmp_path / "root"
    with pytest.raises(UserError, match=r"cannot be downloaded .*--data-root"):
        bsds500.locate(root)
    assert list(root.iterdir()) == []


def test_download_cut_short_is_a_user_error(tmp_path: Path, archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    root = tmp_path / "root"
    with pytest.raises(UserError, match="BSDS500"):
        bsds500.locate(root)
    assert list(root.iterdir()) == []


def test_incomplete_folder_is_not_mistaken_for_the_download(tmp_path: Path, archive: Path) -> None:
    root = tmp_path / "root"
    save(root / "bsds500" / "train" / "left_over.jpg")
    # Either downloaded again or refused, but never a folder without its splits.
    try:
        found = bsds500.locate(root)
    except UserError:
        return
    assert all((found / split).is_dir() for split in SPLITS)
