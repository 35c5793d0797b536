from pathlib import Path

import pytest
from PIL import Image

from bench.core.errors import UserError
from bench.data.images.source import SPLITS, Split, pictures


def save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path, "JPEG" if path.suffix == ".JPG" else "PNG")


def published(
    base: Path,
    train: str = "paris_train_original",
    test: str = "paris_eval/paris_eval_gt",
    count: int = 12,
) -> None:
    """The published layout with a few photographs."""
    for i in range(count):
        save(base / train / f"48.8{i:05d}_2.3{i:05d}_90_-4.JPG")
    for i in range(1, 4):
        save(base / test / f"{i:03d}_im.png")


def names(root: Path, split: Split) -> list[str]:
    return [p.name for p in pictures("paris", split, root)]


def test_splits_are_disjoint_and_complete(tmp_path: Path) -> None:
    published(tmp_path / "paris_streetview")
    train, val, test = (names(tmp_path, split) for split in SPLITS)
    assert test == ["001_im.png", "002_im.png", "003_im.png"]
    assert len(train) == len(val) == 6
    assert not set(train) & set(val)
    everything = (tmp_path / "paris_streetview" / "paris_train_original").iterdir()
    assert sorted(train + val) == sorted(p.name for p in everything)


@pytest.mark.parametrize(("count", "held_out"), [(2, 1), (7, 3), (199, 99), (230, 100)])
def test_validation_is_a_hundred_or_half(tmp_path: Path, count: int, held_out: int) -> None:
    published(tmp_path, count=count)
    assert len(names(tmp_path, "val")) == held_out
    assert len(names(tmp_path, "train")) == count - held_out


def test_draw_is_fixed_and_no_mere_slice(tmp_path: Path) -> None:
    for root in ("a", "b"):
        published(tmp_path / root, count=40)
    drawn = names(tmp_path / "a", "val")
    assert drawn == names(tmp_path / "b", "val")
    everything = sorted(drawn + names(tmp_path / "a", "train"))
    places = [everything.index(name) for name in drawn]
    assert places == sorted(places)
    assert places not in (list(range(20)), list(range(20, 40)), list(range(0, 40, 2)))


@pytest.mark.parametrize("base", ["paris_streetview", "."])
@pytest.mark.parametrize(
    "train", ["paris_train_original", "paris_train_original/paris_train_original"]
)
@pytest.mark.parametrize("test", ["paris_eval/paris_eval_gt", "paris_eval_gt"])
def test_names_are_the_same_in_each_layout(
    tmp_path: Path, base: str, train: str, test: str
) -> None:
    published(tmp_path / "here" / base, train, test)
    published(tmp_path / "there" / "paris_streetview")
    for split in SPLITS:
        assert names(tmp_path / "here", split) == names(tmp_path / "there", split)


@pytest.mark.parametrize("split", SPLITS)
def test_missing_set_says_where_to_ask_and_how_to_lay_it_out(tmp_path: Path, split: Split) -> None:
    with pytest.raises(UserError) as caught:
        pictures("paris", split, tmp_path)
    text = str(caught.value)
    for part in (
        f"not in {tmp_path / 'paris_streetview'}",
        "on request",
        "github.com/pathak22/context-encoder",
        "paris_train_original/ with 14,900 .JPG",
        "paris_eval/paris_eval_gt/ with 100 .png",
        "--data-root",
    ):
        assert part in text
    assert "\n" not in text


def test_missing_half_is_an_error_for_that_half_alone(tmp_path: Path) -> None:
    save(tmp_path / "paris_eval_gt" / "001_im.png")
    assert names(tmp_path, "test") == ["001_im.png"]
    with pytest.raises(UserError, match="Paris StreetView is not in"):
        names(tmp_path, "train")


def test_one_photograph_cannot_be_divided(tmp_path: Path) -> None:
    published(tmp_path, count=1)
    with pytest.raises(UserError, match=r"holds 1 image; .*at least 2"):
        names(tmp_path, "val")


def test_named_set_takes_no_path(tmp_path: Path) -> None:
    published(tmp_path)
    with pytest.raises(UserError, match=r"'paris' takes no path.*--data-root"):
        pictures("paris:x", "train", tmp_path)
