import hashlib
from pathlib import Path

import pytest
from PIL import Image
from torchvision.datasets import Places365

from bench.core.errors import UserError
from bench.data.images import places365
from bench.data.images.source import SPLITS, Split, pictures

OTHERS = ("/a/airfield", "/z/zen_garden")
LISTS = ("categories_places365.txt", "places365_train_standard.txt", "places365_val.txt")


class Tiny:
    """A tiny Places365 under `root`, seven training and five validation images a category."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.folder = root, root / "places365"
        self.folder.mkdir(parents=True)
        # Numbered by their order in the list of categories, which is not the wanted one's.
        self.categories = sorted([*places365.CATEGORIES, *OTHERS])
        train = [(f"{c}/{i:08d}.jpg", n) for n, c in self.numbered() for i in range(1, 8)]
        val = [(i, n) for n, _ in self.numbered() for i in range(1, 6)]
        self.val = {f"Places365_val_{k:08d}.jpg": n for k, (_, n) in enumerate(val, 1)}
        self.train = train
        content = (
            "".join(f"{c} {n}\n" for n, c in self.numbered()),
            "".join(f"{name} {n}\n" for name, n in train),
            "".join(f"{name} {n}\n" for name, n in self.val.items()),
        )
        sums = []
        for name, text in zip(LISTS, content, strict=True):
            (self.folder / name).write_text(text)
            sums.append(hashlib.md5(text.encode()).hexdigest())
        monkeypatch.setattr(Places365, "_CATEGORIES_META", (LISTS[0], sums[0]))
        meta = {"train-standard": (LISTS[1], sums[1]), "val": (LISTS[2], sums[2])}
        monkeypatch.setattr(Places365, "_FILE_LIST_META", meta)

    def numbered(self) -> list[tuple[int, str]]:
        return list(enumerate(self.categories))

    def unpack(self, train: str = "data_256_standard", val: str = "val_256") -> "Tiny":
        for below, names in ((train, [name for name, _ in self.train]), (val, list(self.val))):
            for name in names:
                path = self.folder / below / name.lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (4, 4)).save(path)
        return self

    def names(self, split: Split) -> list[str]:
        return [p.name for p in pictures("places365", split, self.root)]


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    return Tiny(tmp_path / "root", monkeypatch)


def test_the_papers_categories_are_ten() -> None:
    assert len(set(places365.CATEGORIES)) == 10
    assert places365.PER_CATEGORY == 5000


def test_training_has_the_ten_categories_alone(tiny: Tiny) -> None:
    found = tiny.unpack().names("train")
    expected = [f"{c}/{i:08d}.jpg".lstrip("/") for c in places365.CATEGORIES for i in range(1, 8)]
    assert found == expected


def test_training_is_drawn_where_there_are_more(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places365, "PER_CATEGORY", 3)
    found = tiny.unpack().names("train")
    assert found == tiny.names("train")
    drawn = {
        c: [n.rpartition("/")[2] for n in found if n.startswith(c.lstrip("/") + "/")]
        for c in places365.CATEGORIES
    }
    assert all(len(set(files)) == 3 for files in drawn.values())
    assert len({tuple(files) for files in drawn.values()}) > 3  # each category has its own draw


def test_validation_images_are_halved_within_each_category(tiny: Tiny) -> None:
    val, test = (tiny.unpack().names(split) for split in ("val", "test"))
    assert not set(val) & set(test)
    wanted = {n for n, c in tiny.numbered() if c in places365.CATEGORIES}
    assert set(val) | set(test) == {name for name, n in tiny.val.items() if n in wanted}
    for category in wanted:
        assert sum(tiny.val[name] == category for name in val) == 2
        assert sum(tiny.val[name] == category for name in test) == 3
    assert tiny.names("val") == val
    firsts = {name for n in wanted for name in [k for k, v in tiny.val.items() if v == n][:2]}
    assert set(val) != firsts


def test_high_resolution_is_preferred_and_names_are_the_same(tiny: Tiny) -> None:
    small = {split: tiny.unpack().names(split) for split in SPLITS}
    tiny.unpack("data_large_standard", "val_large")
    for split in SPLITS:
        found = pictures("places365", split, tiny.root)
        assert [p.name for p in found] == small[split]
        assert all("_large" in str(p.path) and p.path.is_file() for p in found)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("damage", ["absent", "changed"])
def test_missing_or_damaged_list_says_where_the_set_comes_from(
    tiny: Tiny, split: Split, damage: str
) -> None:
    tiny.unpack()
    listed = tiny.folder / (LISTS[1] if split == "train" else LISTS[2])
    if damage == "absent":
        listed.unlink()
    else:
        listed.write_text("/b/beach/1.jpg 0\n")
    with pytest.raises(UserError) as caught:
        tiny.names(split)
    text = str(caught.value)
    for part in (
        listed.name,
        "http://places2.csail.mit.edu/download.html",
        f"torchvision.datasets.Places365('{tiny.folder}'",
        "download=True",
        "data_256_standard/ and val_256/",
        "data_large_standard/",
        "--data-root",
    ):
        assert part in text
    assert "\n" not in text


def test_missing_set_is_the_same_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Places365-standard is not in .*places365; .*download"):
        pictures("places365", "val", tmp_path)


@pytest.mark.parametrize(
    ("split", "folder"), [("train", "data_256_standard"), ("val", "val_256"), ("test", "val_256")]
)
def test_missing_folder_of_images_is_named(tiny: Tiny, split: Split, folder: str) -> None:
    with pytest.raises(UserError, match=f"no folder {folder}; it comes from"):
        tiny.names(split)


@pytest.mark.parametrize("split", SPLITS)
def test_listed_image_that_is_not_there_is_named(tiny: Tiny, split: Split) -> None:
    gone = pictures("places365", split, tiny.unpack().root)[3]
    gone.path.unlink()
    with pytest.raises(UserError, match=f"lists {gone.name}, which is not in .*unpack"):
        tiny.names(split)


def test_image_of_another_category_need_not_be_there(tiny: Tiny) -> None:
    (tiny.unpack().folder / "data_256_standard" / "a/airfield" / "00000001.jpg").unlink()
    assert len(tiny.names("train")) == 70
