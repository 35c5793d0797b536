"""The written page: a file that fetches nothing, with the records and the pictures."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.core.errors import UserError
from reports.page import Section, write
from reports.page import pictures as page_pictures
from reports.page.columns import columns
from reports.page.pictures import embedded
from tests.reports.page.conftest import (
    grey,
    records,
    save_pictures,
)


def test_file_names_no_address_to_fetch_from(page: Path) -> None:
    text = page.read_text()
    names = {"http://www.w3.org/2000/svg"}  # an XML name, of which nothing is fetched
    assert set(re.findall(r"https?://[^\s\"'<>)]+", text)) <= names
    assert re.search(r'\b(?:src|href)="(?!data:|#)', text) is None
    assert "@import" not in text and "url(" not in text
    assert "default-src 'none'" in text


def test_records_of_two_manifests_are_refused() -> None:
    frame = records(["full"], 3)
    both = pd.concat([frame, frame.assign(manifest="other")])
    with pytest.raises(UserError, match="one manifest, not of several: m, other"):
        columns(both, [], grey)
    with pytest.raises(UserError, match="a page needs records"):
        columns(frame.iloc[:0], [], grey)


def test_values_have_6_digits_and_stay_aligned() -> None:
    frame = records(["full"], 9).sample(frac=1, random_state=1)
    data = columns(pd.concat([frame, frame]), range(9), grey)  # measured next to two runs
    assert data["pairs"]["number"] == list(range(9))
    place = [m["metric"] + m["region"] for m in data["metrics"]].index("psnrhole")
    [series] = [s for s in data["series"] if s["metric"] == place]
    exact = frame[(frame["metric"] == "psnr") & (frame["region"] == "hole")].sort_values("pair")
    for got, wanted in zip(series["values"], exact["value"], strict=True):
        assert got == ("Infinity" if np.isinf(wanted) else float(f"{wanted:.5e}"))


def test_the_page_does_not_grow_with_the_pairs_without_pictures(tmp_path: Path) -> None:
    folders = save_pictures(tmp_path, ["full"], range(3))
    sizes = []
    for pairs in (60, 3000):
        write(tmp_path / "p.html", "t", records(["full"], pairs), [], folders, [], grey)
        sizes.append((tmp_path / "p.html").stat().st_size)
    assert sizes[1] < sizes[0] + 1000  # means and counts have more digits


def test_single_values_are_those_of_pictured_pairs_and_means_those_of_all() -> None:
    frame = records(["full", "other"], 30, {"full": [0, 1]})
    all_pairs, few = (columns(frame, pairs, grey) for pairs in (range(30), [4, 7]))
    assert few["pairs"] == {name: [of[4], of[7]] for name, of in all_pairs["pairs"].items()}
    for whole, part in zip(all_pairs["series"], few["series"], strict=True):
        assert part == whole | {"values": [whole["values"][4], whole["values"][7]]}
    for name in ("methods", "buckets", "metrics", "choices"):
        assert few[name] == all_pairs[name]
    assert columns(frame, [], grey)["choices"] == all_pairs["choices"]


def test_pairs_are_those_that_all_methods_have(tmp_path: Path) -> None:
    folders = save_pictures(tmp_path, ["full", "other"], range(6), size=300)
    folders["other"].file(2, "output").unlink()
    folders["full"].file(4, "truth").unlink()
    write(tmp_path / "p.html", "t", records(["full", "other"], 5), [], folders, [], grey)
    text = (tmp_path / "p.html").read_text()
    assert re.findall(r'id="pair-(\d+)"', text) == ["0", "1", "3"]  # pair 5 was not measured
    block = re.search(r'id="pair-3">(.*?)</script>', text)
    assert block
    pictures = json.loads(block[1])
    assert len(pictures) == 4  # the input and the truth once
    encoded = tmp_path / "picture.webp"
    encoded.write_bytes(base64.b64decode(pictures[2].partition(",")[2]))
    with Image.open(encoded) as picture:
        assert picture.size == (256, 256)
        assert np.abs(np.asarray(picture)[128, 128].astype(int) - (20, 3, 0)).max() < 12


def test_a_page_holds_as_many_pictures_as_it_may_bucket_by_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = save_pictures(tmp_path, ["full"], range(12))
    one = sum(map(len, embedded({0: 0}, folders)[0]))
    monkeypatch.setattr(page_pictures, "LARGEST", 5.5 * one)
    write(tmp_path / "p.html", "t", records(["full"], 15), [], folders, [], grey)
    text = (tmp_path / "p.html").read_text()
    # Pairs 0-4 are the first bucket's, 5-9 the second's, and 10-11 the third's.
    assert re.findall(r'id="pair-(\d+)"', text) == ["0", "1", "5", "6", "10"]
    assert "pictures of 12 of the 15 test pairs" in text and "holds the first 5 of them" in text


def test_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    frame = records(["full"], 3)
    folders = save_pictures(tmp_path, ["full"], range(3))
    folders["full"].file(1, "truth").write_text("no picture")
    with pytest.raises(UserError, match=r"picture .*00001_truth\.webp cannot be read"):
        write(tmp_path / "p.html", "t", frame, [], folders, [], grey)
    with pytest.raises(UserError, match="there are pictures of 'stranger' but no records"):
        write(tmp_path / "p.html", "t", frame, [], {"stranger": tmp_path}, [], grey)
    missing = Section("Figure", "", tmp_path / "none.svg")
    with pytest.raises(UserError, match=r"figure .*none\.svg cannot be read"):
        write(tmp_path / "p.html", "t", frame, [missing], {}, [], grey)
    assert not (tmp_path / "p.html").exists()
