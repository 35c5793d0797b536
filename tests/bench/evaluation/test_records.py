import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.core.errors import UserError
from bench.evaluation import records

ROW = {
    "family": "variant",
    "method": "full",
    "seed": 0,
    "pair": 3,
    "image": "a/b, c.png",
    "top": 12,
    "left": 0,
    "mask": "shapes,strokes/test/0/1/3",
    "mask_hash": "0123456789012345",
    "ratio": 0.1 + 0.2,
    "bucket": "(0.3, 0.4]",
    "metric": "psnr",
    "region": "composite",
    "value": 1 / 3,
    "note": "",
    "metric_version": 1,
    "manifest": "1e5",
    "fingerprint": "007",
    "seconds": 1e-7 / 3,
}


def frame(*changes: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame([ROW | change for change in changes])


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    written = frame(
        {},
        {"value": math.inf, "method": "NA", "image": 'quoted "name".png'},
        {"value": math.nan, "note": "no ImageNet weights of AlexNet; give\nthem, or use x"},
        {"value": 0.0, "image": "ünïcode 図.jpg", "note": "null"},
    )
    records.write(tmp_path / "records.csv", written)
    read = records.read([tmp_path / "records.csv"])
    assert list(read) == list(records.COLUMNS) == list(ROW)
    assert read.drop(columns="value").to_dict("records") == written.drop(columns="value").to_dict(
        "records"
    )
    assert np.array_equal(read["value"], written["value"], equal_nan=True)


def test_floats_keep_every_digit(tmp_path: Path) -> None:
    stream = np.random.default_rng(0)
    values = stream.normal(size=500) * 10.0 ** stream.integers(-12, 12, 500)
    written = frame(*({"value": value} for value in values)).assign(ratio=stream.random(500))
    records.write(tmp_path / "records.csv", written)
    read = records.read([tmp_path / "records.csv"])
    assert read["value"].tolist() == values.tolist()
    assert read["ratio"].tolist() == written["ratio"].tolist()


def test_columns_have_their_order_and_extra_ones_are_left_out(tmp_path: Path) -> None:
    written = frame({}).assign(extra=1)[["extra", *reversed(ROW)]]
    records.write(tmp_path / "records.csv", written)
    header = (tmp_path / "records.csv").read_text().splitlines()[0]
    assert header == ",".join(records.COLUMNS)


def test_several_files_are_read_in_their_order(tmp_path: Path) -> None:
    for number in (2, 0, 1):
        records.write(tmp_path / f"{number}.csv", frame({"seed": number}, {"seed": number}))
    read = records.read([tmp_path / f"{number}.csv" for number in (2, 0, 1)])
    assert read["seed"].tolist() == [2, 2, 0, 0, 1, 1]
    assert read.index.tolist() == list(range(6))


def test_a_row_takes_few_bytes_however_long_its_texts_are(tmp_path: Path) -> None:
    """12,000 pairs of ten methods under three seeds are 3.6 million rows."""
    paths = [tmp_path / "0.csv", tmp_path / "1.csv"]
    for number, path in enumerate(paths):
        texts = {"image": f"{number}{'long name ' * 20}", "fingerprint": f"{number}" * 16}
        records.write(path, pd.concat([frame(texts)] * 3000))
    read = records.read(paths)
    assert read.memory_usage(deep=True).sum() < 100 * len(read)


def test_categories_have_the_order_of_their_texts(tmp_path: Path) -> None:
    """Means add up images in this order, on which their last digits depend."""
    for number, image in enumerate(("b", "a10", "a9")):
        records.write(tmp_path / f"{number}.csv", frame({"image": image}))
    read = records.read([tmp_path / f"{number}.csv" for number in range(3)])
    assert read["image"].tolist() == ["b", "a10", "a9"]
    assert read.sort_values("image")["image"].tolist() == ["a10", "a9", "b"]


def test_failed_write_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    records.write(path, frame({}))
    before = path.read_bytes()
    with pytest.raises(KeyError):
        records.write(path, frame({}).drop(columns="seconds"))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["records.csv"]


def test_no_files_is_an_error() -> None:
    with pytest.raises(UserError, match="no finished run"):
        records.read([])


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no records .*absent\.csv"):
        records.read([tmp_path / "absent.csv"])


@pytest.mark.parametrize("column", ["note", "value", "seconds"])
def test_missing_column_is_named(tmp_path: Path, column: str) -> None:
    path = tmp_path / "records.csv"
    frame({}).drop(columns=column).to_csv(path, index=False)
    with pytest.raises(UserError, match=rf"records\.csv lack the column '{column}'"):
        records.read([path])


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) - len(text) // 4],
        lambda text: re.sub("12", "twelve", text, count=1),
        lambda text: text + '"',
        lambda text: "\x00\x01\x02" * 50,
    ],
)
def test_damaged_file_is_named(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "records.csv"
    records.write(path, frame({}, {}))
    path.write_text(damage(path.read_text()))  # type: ignore[operator]
    with pytest.raises(UserError, match=r"records\.csv"):
        records.read([path])
