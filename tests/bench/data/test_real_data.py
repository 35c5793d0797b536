"""Checks against the published data sets, where LBAM_BENCH_DATA names a folder that holds them."""

import logging
import os
import re
from pathlib import Path

import pytest

from bench.data.images import bsds500
from bench.data.images.source import SPLITS
from bench.data.masks.buckets import hole_ratio
from bench.data.masks.polarity import read_mask
from bench.data.masks.source import open_masks

FOLDER = os.environ.get("LBAM_BENCH_DATA", "")


def data_set(name: str) -> Path:
    if not FOLDER:
        pytest.skip(f"LBAM_BENCH_DATA is not set; it names the folder that holds {name}/")
    folder = Path(FOLDER, name)
    if not folder.is_dir():
        pytest.skip(f"no {name}/ in LBAM_BENCH_DATA")
    return folder


@pytest.mark.parametrize(("split", "count"), [("train", 200), ("val", 100), ("test", 200)])
def test_bsds500_is_the_published_one(split: str, count: int) -> None:
    folder = data_set("bsds500")
    assert len(list((folder / split).glob("*.jpg"))) == count
    assert bsds500.split_digest(folder / split) == bsds500.DIGESTS[split]
    assert set(bsds500.DIGESTS) == set(SPLITS)


def test_nvidia_masks_are_white_in_the_hole() -> None:
    # The set is ordered: 2,000 masks for each of (.01, .1], (.1, .2], ... (.5, .6].
    files = sorted(p for p in data_set("nvidia_masks").glob("*.png") if p.stem.isdigit())
    chosen = files[:: max(1, len(files) // 60)]
    edges = [0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    agree = 0
    for path in chosen:
        group = int(path.stem) // 2000
        agree += edges[group] < hole_ratio(read_mask(path, "hole-white", 512)) <= edges[group + 1]
    assert len(chosen) >= 50
    assert agree >= 0.95 * len(chosen)


def test_nvidia_masks_hardly_ever_have_another_ratio_than_their_number_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    masks = open_masks("nvidia", "", data_set("nvidia_masks").parent)
    with caplog.at_level(logging.WARNING):
        found = masks.by_bucket(256, 0, "test", 50)
    assert [len(row) for row in found.values()] == [50] * 4
    reported = re.search(r"(\d+) of the (\d+) masks looked at", caplog.text)
    wrong, looked = map(int, reported.groups()) if reported else (0, 1)
    assert wrong <= 0.03 * looked + 1
