import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.core.errors import UserError
from bench.data import pairs
from bench.data.images.source import Split
from bench.data.masks.buckets import BUCKETS, bucket_label, hole_ratio, within
from bench.data.masks.family import GeneratedMasks, family_of, generate
from bench.data.masks.polarity import read_mask
from bench.data.masks.source import MaskSource, open_masks
from bench.data.photos import Photos

MaskMaker = Callable[[Mapping[str, float]], Path]
# Two for each bucket, by the ranges that the numbers stand for, and one below and above them.
NVIDIA = {
    "00007.png": 0.05, "02000.png": 0.15, "03999.png": 0.19, "04000.png": 0.21, "05001.png": 0.25,
    "06000.png": 0.35, "07002.png": 0.39, "08000.png": 0.45, "09999.png": 0.41, "11999.png": 0.55,
}  # fmt: skip


def bucketed(masks: MaskSource, count: int = 2, size: int = 64) -> dict[str, list[str]]:
    found = masks.by_bucket(size, 0, "test", count)
    return {bucket: sorted(name for name, _ in row) for bucket, row in found.items()}


def save(path: Path, white: float, size: int = 64) -> None:
    """A mask whose left part is white."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((size, size), np.uint8)
    pixels[:, : round(white * size)] = 255
    Image.fromarray(pixels).save(path)


@pytest.fixture
def quick_draw(tmp_path: Path) -> Path:
    """A data root with QD-IMD: 20 % black in training masks, 30 % in test masks."""
    for part, black in (("train", 0.2), ("test", 0.3)):
        for i in range(4):
            save(tmp_path / "qd_imd" / part / f"{i:05}_{part}.png", 1 - black)
    return tmp_path


def test_nvidia_is_found_under_the_data_root_or_at_its_path(mask_folder: MaskMaker) -> None:
    folder = mask_folder(NVIDIA)
    named = open_masks(f"nvidia:{folder}", "", Path("/no/data/root"))
    moved = folder.rename(folder.parent / "nvidia_masks")
    found = open_masks("nvidia", "", moved.parent)
    assert found.name == named.name == "10 files, hole white"
    assert bucketed(found) == {
        "(0.1, 0.2]": ["02000.png", "03999.png"],
        "(0.2, 0.3]": ["04000.png", "05001.png"],
        "(0.3, 0.4]": ["06000.png", "07002.png"],
        "(0.4, 0.5]": ["08000.png", "09999.png"],
    }


@pytest.mark.parametrize(
    ("kind", "polarity", "share", "overrides"),
    [
        ("nvidia", "", 0.25, False),
        ("nvidia", "hole-white", 0.25, False),
        ("nvidia", "hole-black", 0.75, True),
        ("qd-imd", "", 0.75, False),
        ("qd-imd", "hole-black", 0.75, False),
        ("qd-imd", "hole-white", 0.25, True),
        ("paper", "", 0.25, False),
        ("paper", "hole-black", 0.75, True),
    ],
)
def test_the_name_says_what_the_hole_is_but_for_an_override(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    polarity: str,
    share: float,
    overrides: bool,
) -> None:
    file = "00001_train.png" if kind == "qd-imd" else "00001.png"
    save(tmp_path / file, white=0.25)
    with caplog.at_level(logging.WARNING):
        masks = open_masks(f"{kind}:{tmp_path}", polarity, tmp_path)
    assert hole_ratio(masks.load(file, 64)) == share
    overridden = "nvidia" if kind == "paper" else kind  # the part of the mix that is files
    warning = f"--polarity {polarity} overrides that of the {overridden} masks"
    assert (warning in caplog.text) == overrides


def test_wrong_claims_are_reported_once_and_the_measured_ratio_decides(
    mask_folder: MaskMaker, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {"02001.png": 0.45, "00001.png": 0.15, "10000.png": 0.05, "06003.png": 0.31}
    folder = mask_folder({**NVIDIA, **wrong, "free.png": 0.35, "12000.png": 0.35, "1e2.png": 0.3})
    masks = open_masks(f"nvidia:{folder}", "", Path("/no/data/root"))
    with caplog.at_level(logging.WARNING):
        found = bucketed(masks, count=99)  # more than there are, so that all are looked at
    assert len(caplog.records) == 1
    assert "at 64 px: 3 of the 14 masks looked at" in caplog.text
    for name, claim, ratio in (
        ("02001.png", "(0.1, 0.2]", "0.44995"),
        ("00001.png", "(0.01, 0.1]", "0.14990"),
        ("10000.png", "(0.5, 0.6]", "0.05005"),
    ):
        assert f"{name} claims {claim}, has {ratio}" in caplog.text
    assert "the measured ratio decides" in caplog.text
    assert "02001.png" in found["(0.4, 0.5]"]
    assert {"free.png", "12000.png"} <= set(found["(0.3, 0.4]"])


def test_no_more_than_three_examples_are_given(
    mask_folder: MaskMaker, caplog: pytest.LogCaptureFixture
) -> None:
    folder = mask_folder({f"{i:05d}.png": 0.25 for i in range(5)})
    with caplog.at_level(logging.WARNING):
        bucketed(open_masks(f"nvidia:{folder}", "", folder))
    assert "5 of the 5 masks" in caplog.text
    assert caplog.text.count("claims (0.01, 0.1]") == 3


def test_right_claims_are_not_warned_of(
    mask_folder: MaskMaker, caplog: pytest.LogCaptureFixture
) -> None:
    # 0.5 of 64 x 64 pixels is the closed end of the fifth range.
    folder = mask_folder({**NVIDIA, "08001.png": 0.5})
    with caplog.at_level(logging.WARNING):
        bucketed(open_masks(f"nvidia:{folder}", "", folder), count=99)
        # The names of other files stand for nothing.
        bucketed(open_masks(f"masks:{folder}", "hole-white", folder), count=99)
    assert caplog.text == ""


def test_masks_are_chosen_as_from_any_folder(mask_folder: MaskMaker) -> None:
    folder = mask_folder({**NVIDIA, "02001.png": 0.45})
    nvidia, plain = (
        open_masks(f"{kind}:{folder}", "hole-white", folder) for kind in ("nvidia", "masks")
    )
    assert nvidia.digest == plain.digest
    for seed in range(4):
        one, other = (m.by_bucket(64, seed, "test", 1) for m in (nvidia, plain))
        assert [[n for n, _ in row] for row in one.values()] == [
            [n for n, _ in row] for row in other.values()
        ]
        assert np.array_equal(
            nvidia.training(64, (0.1, 0.5), 0, seed), plain.training(64, (0.1, 0.5), 0, seed)
        )


@pytest.mark.parametrize("kind", ["nvidia", "paper"])
def test_folder_of_other_masks_is_refused(tmp_path: Path, kind: str) -> None:
    for name in ("left.png", "12000.png", "000001.png", "1_1.png"):
        save(tmp_path / name, 0.25)
    with pytest.raises(UserError, match=r"none of NVIDIA's test masks, 00000\.png.*masks:PATH"):
        open_masks(f"{kind}:{tmp_path}", "", tmp_path)


@pytest.mark.parametrize(
    ("kind", "folder", "parts"),
    [
        ("nvidia", "nvidia_masks", ("nv-adlr.github.io", "CC BY-NC-SA 4.0", "11999.png")),
        ("paper", "nvidia_masks", ("nv-adlr.github.io", "CC BY-NC-SA 4.0", "11999.png")),
        ("qd-imd", "qd_imd", ("github.com/karfly/qd-imd", "train/00000_train.png")),
    ],
)
def test_missing_set_says_where_it_comes_from_and_its_layout(
    tmp_path: Path, kind: str, folder: str, parts: tuple[str, ...]
) -> None:
    for spec, place in ((kind, tmp_path / folder), (f"{kind}:{tmp_path / 'x'}", tmp_path / "x")):
        with pytest.raises(UserError) as caught:
            open_masks(spec, "", tmp_path)
        text = str(caught.value)
        assert all(part in text for part in (f"not in {place};", "--data-root", *parts))
        assert "\n" not in text


@pytest.mark.parametrize(
    ("split", "part", "share"),
    [("train", "train", 0.2), ("val", "train", 0.2), ("test", "test", 0.3)],
)
def test_quick_draw_masks_stand_in_the_part_of_the_split(
    quick_draw: Path, split: Split, part: str, share: float
) -> None:
    for spec in ("qd-imd", f"qd-imd:{quick_draw / 'qd_imd'}"):
        masks = open_masks(spec, "", quick_draw, split)
        assert masks.name == "4 files, hole black"
        for position in range(8):
            ratio = hole_ratio(masks.training(64, (0.1, 0.5), 0, position))
            assert ratio == pytest.approx(share, abs=0.01)
        assert masks.load(f"{part}/00002_{part}.png", 64)[:, -1].max() == 0


def test_missing_part_of_quick_draw_is_named(quick_draw: Path) -> None:
    for file in (quick_draw / "qd_imd" / "test").iterdir():
        file.unlink()
    open_masks("qd-imd", "", quick_draw, "train")
    with pytest.raises(UserError, match=r"test part of QD-IMD is not in .*test/00000_test.png"):
        open_masks("qd-imd", "", quick_draw, "test")


@pytest.mark.parametrize(("count", "shapes"), [(1, 0), (2, 1), (3, 1), (4, 1), (5, 2), (12, 4)])
def test_every_bucket_of_the_paper_mix_is_a_third_shapes_at_the_same_places(
    mask_folder: MaskMaker, count: int, shapes: int
) -> None:
    firsts = (2000, 4000, 6000, 8000)
    folder = mask_folder(
        {f"{first + i:05}.png": first / 2e4 + 0.05 for first in firsts for i in range(8)}
    )
    found = open_masks(f"paper:{folder}", "", folder).by_bucket(64, 3, "validation", count)
    for number, bucket in enumerate(BUCKETS):
        row = found[bucket_label(bucket)]
        families = [family_of(name) for name, _ in row]
        assert families == (["files", "shapes", "files"] * count)[:count]
        assert families.count("shapes") == shapes
        assert len({name for name, _ in row}) == count
        assert all(within(hole_ratio(mask), bucket) for _, mask in row)
        drawn = [(name, mask) for name, mask in row if family_of(name) == "shapes"]
        assert [n for n, _ in drawn] == [f"shapes/validation/3/{number}/{i}" for i in range(shapes)]


def test_families_of_the_paper_mix_stand_in_the_manifest(
    mask_folder: MaskMaker, photos: Photos
) -> None:
    folder = mask_folder(NVIDIA)
    masks = open_masks(f"paper:{folder}", "", folder)
    made = pairs.make(photos, masks, 64, 66, 6, 0, "test")
    assert made.mask_families == {bucket_label(b): {"files": 4, "shapes": 2} for b in BUCKETS}
    places = [[k for k, p in enumerate(made.pairs[i : i + 6]) if family_of(p.mask) == "shapes"]
              for i in range(0, 24, 6)]  # fmt: skip
    assert places == [[1, 4]] * 4
    pairs.FrozenPairs(made, photos, masks).batch(range(24))  # every name gives its mask


def test_a_bucket_of_the_paper_mix_without_files_has_no_masks(mask_folder: MaskMaker) -> None:
    folder = mask_folder({k: v for k, v in NVIDIA.items() if not 0.3 < v <= 0.4})
    found = open_masks(f"paper:{folder}", "", folder).by_bucket(64, 0, "test", 3)
    assert [len(row) for row in found.values()] == [3, 3, 0, 3]


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("shapes/test/0/3/17", "shapes"),
        ("shapes,strokes/validation/0/0/0", "shapes,strokes"),
        ("shapes,strokes/validation/0/0/0/strokes", "strokes"),
        ("shapes,strokes/validation/0/0/0/3.png", "files"),
        ("02000.png", "files"),
        ("shapes/a/1/2/3.png", "files"),
        ("shapes/3.png", "files"),
    ],
)
def test_the_family_of_a_mask_is_told_by_its_name(name: str, family: str) -> None:
    assert family_of(name) == family


def test_paper_mix_loads_by_name(mask_folder: MaskMaker) -> None:
    folder = mask_folder(NVIDIA)
    masks = open_masks(f"paper:{folder}", "", folder)
    shape = generate(("shapes",), 64, (0.2, 0.3), 0, "paper shapes", 5999)
    assert np.array_equal(masks.load("paper shapes/5999", 64), shape)
    assert np.array_equal(
        masks.load("06000.png", 64), read_mask(folder / "06000.png", "hole-white", 64)
    )
    drawn = GeneratedMasks(("shapes",)).load("shapes/test/0/3/5", 64)
    assert np.array_equal(masks.load("shapes/test/0/3/5", 64), drawn)
    for foreign in ("paper shapes/6000", "strokes/test/0/3/5"):
        with pytest.raises(UserError, match=rf"mask {foreign} .*--test-masks"):
            masks.load(foreign, 64)


def test_paper_mix_is_a_third_shapes_in_training(tmp_path: Path) -> None:
    folder = tmp_path / "nvidia_masks"
    save(folder / "00000.png", 0.5)
    for i in range(1, 12000):
        (folder / f"{i:05d}.png").hardlink_to(folder / "00000.png")
    masks = open_masks("paper", "", tmp_path)
    assert masks.name == "6000 shapes and 12000 files, hole white"
    drawn = [masks.training(64, (0.1, 0.5), 0, position) for position in range(900)]
    shapes = [mask for mask in drawn if hole_ratio(mask) != 0.5]
    assert 240 <= len(shapes) <= 360  # 300 of 900, and four standard deviations
    assert all(0.2 < hole_ratio(mask) <= 0.3 for mask in shapes)
    left = sum(mask[0, 0] == 0 for mask in drawn if hole_ratio(mask) == 0.5)
    assert 230 <= left <= 370  # mirrored at random


def test_paper_mix_reports_wrong_claims_of_files(
    mask_folder: MaskMaker, caplog: pytest.LogCaptureFixture
) -> None:
    folder = mask_folder({**NVIDIA, "02001.png": 0.45})
    with caplog.at_level(logging.WARNING):
        bucketed(open_masks(f"paper:{folder}", "", folder), count=99)
    assert "1 of the 11 masks looked at" in caplog.text


def test_digests_of_named_sets_differ_and_do_not_depend_on_the_place(
    mask_folder: MaskMaker, tmp_path: Path
) -> None:
    folder = mask_folder(NVIDIA)

    def digests(at: Path) -> list[str]:
        return [
            open_masks(f"{kind}:{at}", polarity, at).digest
            for kind in ("nvidia", "paper")
            for polarity in ("", "hole-black")
        ]

    before = digests(folder)
    assert len(set(before)) == 4
    assert digests(folder.rename(tmp_path / "moved")) == before
