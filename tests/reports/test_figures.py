"""Figures of pictures: which pairs are shown, in which place, under which numbers."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from bench.core.run_folder import PairPictures
from reports import figures

BUCKETS = ["(0.1, 0.2]", "(0.2, 0.3]"]
METHODS = ["full", "telea"]


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, PairPictures]:
    """Three pairs a bucket, of which telea lacks the first; each picture is of one colour."""
    folders = {method: PairPictures(tmp_path / method, tmp_path / "pairs") for method in METHODS}
    for number, (method, folder) in enumerate(folders.items()):
        folder.own.mkdir()
        folder.shared.mkdir(exist_ok=True)
        for pair in range(6):
            for kind, level in (("input", 0), ("output", 50 + 50 * number), ("truth", 250)):
                if (method, pair) != ("telea", 0):
                    picture = Image.new("RGB", (8, 8), (level, 10 * pair, 0))
                    picture.save(folder.file(pair, kind), lossless=True)
    return folders


@pytest.fixture
def records() -> pd.DataFrame:
    hole = {"full": [9, 8, 7, 6, 5, 9], "telea": [1, 2, 3, 4, 3, 2]}
    rows = [
        {"method": method, "pair": pair, "bucket": BUCKETS[pair // 3], "metric": "psnr",
         "region": region,
         # The other way round, so that one cannot be taken for the other.
         "value": hole[method][pair] if region == "hole" else 30.0 - hole[method][pair]}
        for method in METHODS for pair in range(6) for region in ("composite", "hole")
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures, kept open for a look."""
    kept: list[Figure] = []
    monkeypatch.setattr(figures, "_save", lambda figure, path: kept.append(figure))
    yield kept  # type: ignore[misc]
    for figure in kept:
        plt.close(figure)


def colours(figure: Figure, columns: int) -> list[list[tuple[int, int]]]:
    """Red and green of each picture, by row and column."""
    found = [tuple(int(v) for v in axis.images[0].get_array()[0, 0, :2]) for axis in figure.axes]
    return [found[i : i + columns] for i in range(0, len(found), columns)]  # type: ignore[misc]


def test_pairs_are_the_first_that_all_methods_have(
    pictures: dict[str, PairPictures], records: pd.DataFrame
) -> None:
    assert figures.first_pairs(pictures, records) == [1, 3]
    assert figures.first_pairs(pictures, records, 2) == [1, 2, 3, 4]
    assert figures.first_pairs({"full": pictures["full"]}, records) == [0, 3]


def test_worst_pairs_follow_the_rule(
    pictures: dict[str, PairPictures], records: pd.DataFrame
) -> None:
    # Lowest in the hole for full; pair 0 of telea would be lower but has no picture.
    assert figures.worst_pairs(pictures, records, "full") == [2, 4]
    assert figures.worst_pairs(pictures, records, "telea") == [1, 5]


def test_a_grid_has_each_picture_in_its_place_with_its_psnr(
    pictures: dict[str, PairPictures], records: pd.DataFrame, drawn: list[Figure], tmp_path: Path
) -> None:
    figures.grid(pictures, records, [2, 4], tmp_path / "grid.png")
    (figure,) = drawn
    assert colours(figure, 4) == [[(level, 10 * pair) for level in (0, 50, 100, 250)]
                                  for pair in (2, 4)]  # fmt: skip
    axes = figure.axes
    assert [a.get_title() for a in axes[:4]] == ["input", "full", "telea", "ground truth"]
    assert [axes[0].get_ylabel(), axes[4].get_ylabel()] == BUCKETS
    assert [axes[i].get_xlabel() for i in (1, 2, 5, 6)] == [
        "23.00 dB", "27.00 dB", "25.00 dB", "27.00 dB"
    ]  # fmt: skip


def test_maps_stand_in_the_order_of_the_layers(
    pictures: dict[str, PairPictures], drawn: list[Figure], tmp_path: Path
) -> None:
    names = ["decoder-12", "decoder-13", "encoder-2", "encoder-1"]
    for level, name in enumerate(names):
        for pair in (0, 3):
            picture = Image.new("RGB", (4, 4), (level, 10 * pair, 0))
            picture.save(pictures["full"].file(pair, f"mask-{name}"), lossless=True)
    assert figures.maps(pictures, "mask", tmp_path / "maps.png")
    (figure,) = drawn
    assert [a.get_title().partition("\n")[2] for a in figure.axes[1:5]] == [
        "encoder layer 1", "encoder layer 2", "decoder layer 13", "decoder layer 12"
    ]  # fmt: skip
    assert colours(figure, 5)[1] == [(0, 30), (3, 30), (2, 30), (1, 30), (0, 30)]
    assert not figures.maps(pictures, "features", tmp_path / "none.png")
    assert len(drawn) == 1


def test_removal_has_no_truth(tmp_path: Path) -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    names = dict.fromkeys(("input", "full", "telea"), image)
    figures.removal(names, tmp_path / "out.png")
    width, height = Image.open(tmp_path / "out.png").size
    assert width > 650 and height < 250  # no room around flat pictures


def test_a_contact_sheet_breaks_long_groups_and_starts_each_on_a_row(drawn: list[Figure]) -> None:
    def shown(count: int, level: int) -> list[figures.Shown]:
        return [(np.full((4, 4, 3), level, np.uint8), f"{level}.{n}") for n in range(count)]

    figures.sheet({"a": shown(10, 1), "b": shown(2, 2)}, Path())
    (figure,) = drawn
    rows: dict[float, list[str]] = {}
    for axis in figure.axes:
        if axis.images:
            name = axis.get_xlabel()
            assert (axis.images[0].get_array() == int(name[0])).all()
            rows.setdefault(axis.get_subplotspec().rowspan.start, []).append(name)
    assert rows == {
        0: [f"1.{n}" for n in range(8)], 1: ["1.8", "1.9"], 2: ["2.0", "2.1"]
    }  # fmt: skip
