"""Pictures filled one after the other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.config import Model
from bench.core.errors import UserError
from bench.evaluation.picture import Filler
from bench.inpainting.batch import Batch, grown
from bench.inpainting.jobs import Job
from bench.registry import floors
from tests.bench.evaluation.test_picture import Constant


def filler() -> Filler:
    return Filler(floors()[0].build(Model()), torch.device("cpu"))


def job(folder: Path, name: str, hole: tuple[slice, slice] = np.s_[4:8, 6:9]) -> Job:
    pixels = np.full((16, 24), 100, np.uint8)
    mask = np.zeros((16, 24), bool)
    mask[hole] = True
    made = Job(folder / f"{name}.png", folder / f"{name}-mask.png")
    Image.fromarray(pixels).save(made.image)
    Image.fromarray(mask).save(made.mask)
    return made


def test_a_broken_picture_is_told_once_and_the_others_are_filled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, batch = [job(tmp_path, name) for name in "abc"], Batch("hole-white", 0)
    jobs[1].image.write_bytes(b"broken")
    for out in ("first", "second"):
        for one in jobs:
            batch.fill(one, filler(), tmp_path / out / one.name)
        assert sorted(p.name for p in (tmp_path / out).iterdir()) == ["a.png", "c.png"]
    assert list(batch.problems) == [jobs[1]]
    assert caplog.text.count("b.png is not an image") == 1


def test_a_method_that_fails_does_not_stop_another(tmp_path: Path) -> None:
    one, batch = job(tmp_path, "a"), Batch("hole-white", 0)
    diverged = Filler(Constant(float("nan")), torch.device("cpu"))
    batch.fill(one, diverged, tmp_path / "first.png")
    batch.fill(one, filler(), tmp_path / "second.png")
    assert (tmp_path / "second.png").exists() and not (tmp_path / "first.png").exists()
    assert "first.png: the method gives NaN" in batch.problems[one]


def test_what_is_told_names_its_pictures_once(tmp_path: Path) -> None:
    jobs, batch = [job(tmp_path, name) for name in "abcdefg"], Batch("hole-white", 0)
    for one in [*jobs, *jobs]:
        batch.fill(one, filler(), tmp_path / "out.png")
    assert batch.told() == ["grey stays grey: a.png, b.png, c.png, d.png, e.png and 2 more"]


def test_a_mask_that_is_mostly_hole_is_told(tmp_path: Path) -> None:
    batch = Batch("hole-white", 0)
    for name, rows in (("a", 15), ("b", 4)):
        batch.read(job(tmp_path, name, np.s_[:rows]))
    assert batch.told() == [
        "over 60% is hole; if that is wrong, use --polarity hole-black: a.png"
    ]  # fmt: skip


def test_the_hole_grows_by_whole_pixels_in_all_directions() -> None:
    hole = np.zeros((9, 12), bool)
    hole[4, 5] = True
    rows, columns = np.mgrid[:9, :12]
    for pixels in (0, 1, 2, 3):
        wanted = np.hypot(rows - 4, columns - 5) <= pixels
        assert np.array_equal(grown(hole, pixels), wanted)


def test_growing_is_part_of_the_reading(tmp_path: Path) -> None:
    one = job(tmp_path, "a")
    _, hole = Batch("hole-white", 2).read(one)
    assert hole.sum() > 12 and hole[4, 4] and not hole[4, 3]
    with pytest.raises(UserError, match=r"--dilate 99 leaves no known pixel of .*a-mask\.png"):
        Batch("hole-white", 99).read(one)


def test_the_hole_is_shown_in_white(tmp_path: Path) -> None:
    shown = np.asarray(Batch("hole-white", 0).holed(job(tmp_path, "a")))
    assert shown.shape == (16, 24, 3)
    assert (shown[4:8, 6:9] == 255).all() and (shown[:4] == 100).all()
