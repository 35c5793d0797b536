"""Which pictures are to be filled."""

import os
from pathlib import Path

import pytest
from PIL import Image

from bench.core.errors import UserError
from bench.inpainting import jobs
from bench.inpainting.jobs import Job


def folder(path: Path, *names: str, size: tuple[int, int] = (20, 16)) -> Path:
    path.mkdir()
    for name in names:
        Image.new("RGB", size).save(path / name)
    return path


def test_a_mask_has_the_name_of_its_picture_but_for_the_suffix(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = folder(tmp_path / "images", "b.JPG", "a.png", "c.webp", ".hidden.png")
    (images / "notes.txt").write_text("no picture")
    masks = folder(tmp_path / "masks", "a.gif", "b.png", "other.png")
    found = jobs.find(images, masks)
    assert found == [
        Job(images / "a.png", masks / "a.gif"), Job(images / "b.JPG", masks / "b.png")
    ]  # fmt: skip
    assert [job.name for job in found] == ["a.png", "b.png"]
    assert f"left out, without a mask in {masks}: c.webp" in caplog.text


def test_one_mask_serves_all(tmp_path: Path) -> None:
    images = folder(tmp_path / "images", "a.png", "b.png")
    mask = tmp_path / "mask.png"
    mask.touch()
    assert [job.mask for job in jobs.find(images, mask)] == [mask, mask]


def test_folders_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    images = folder(tmp_path / "images", "a.png")
    with pytest.raises(UserError, match="no file or folder"):
        jobs.find(images, tmp_path / "absent")
    with pytest.raises(UserError, match="holds no picture"):
        jobs.find(images, folder(tmp_path / "empty"))
    with pytest.raises(UserError, match=r"no picture of .* has a mask in .*: masks are"):
        jobs.find(images, folder(tmp_path / "masks", "b.png"))
    twice = folder(tmp_path / "twice", "a.png", "a.jpg")
    with pytest.raises(UserError, match=r"holds a\.jpg and a\.png: .* rename one"):
        jobs.find(twice, images)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(*(folder(tmp_path / name, "a.png") / "a.png" for name in ("images", "masks")))


def left(job: Job, out: Path, settings: dict[str, object], redo: bool = False) -> list[Job]:
    """Return what is left to do, as the command finds it."""
    if not redo:
        jobs.refuse_others([job], out, settings)
    return jobs.begin([job], out, settings, redo)


def filled(job: Job, out: Path, settings: dict[str, object]) -> None:
    for one in left(job, out, settings):
        Image.new("RGB", (2, 2)).save(out / one.name)


def test_what_is_finished_is_not_left_to_do(job: Job, tmp_path: Path) -> None:
    filled(job, tmp_path, {"dilate": 0})
    assert left(job, tmp_path, {"dilate": 0}) == []


@pytest.mark.parametrize("which", [0, 1])
def test_a_picture_is_filled_again_if_it_or_its_mask_changed(
    job: Job, tmp_path: Path, which: int
) -> None:
    filled(job, tmp_path, {})
    later = (tmp_path / "a.png").stat().st_mtime + 5
    os.utime(job[which], (later, later))
    assert left(job, tmp_path, {}) == [job]


def test_results_of_other_settings_are_kept_and_refused(job: Job, tmp_path: Path) -> None:
    filled(job, tmp_path, {"dilate": 0})
    with pytest.raises(UserError, match=r"a\.png was made by something else, .* --redo"):
        left(job, tmp_path, {"dilate": 1})
    assert (tmp_path / "a.png").exists()
    assert left(job, tmp_path, {"dilate": 0}) == []


def test_a_picture_of_unknown_origin_is_not_taken_for_a_result(job: Job, tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(UserError, match="made by something else"):
        left(job, tmp_path, {})


def test_redo_leaves_nothing_of_other_settings(job: Job, tmp_path: Path) -> None:
    filled(job, tmp_path, {"dilate": 0})
    assert left(job, tmp_path, {"dilate": 1}, redo=True) == [job]
    # Killed here, the same command without --redo takes no old picture for a new one.
    assert left(job, tmp_path, {"dilate": 1}) == [job]


def test_the_usual_size_is_that_of_most_small_pictures(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    for number, size in enumerate([(30, 20), (30, 20), (40, 20), (900, 900)]):
        Image.new("L", size).save(tmp_path / f"{number}.png")
    Image.new("L", (20, 30)).save(tmp_path / "turned.png", exif=turned)
    (tmp_path / "broken.png").write_bytes(b"broken")
    found = [Job(file, file) for file in sorted(tmp_path.iterdir())]
    assert jobs.usual_size(found) == ((20, 30), 3)
    assert jobs.usual_size([Job(tmp_path / "3.png", tmp_path)])[1] == 0


def test_a_long_list_is_cut() -> None:
    assert jobs.listed(["a", "b"]) == "a, b"
    assert jobs.listed([*"abcdefgh"]) == "a, b, c, d, e and 3 more"
