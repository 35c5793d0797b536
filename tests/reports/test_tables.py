import math

import pandas as pd
import pytest

from reports.markdown import table
from reports.reported import table1, table2
from reports.summary import summarise
from reports.tables import by_bucket

ROW = {
    "manifest": "m",
    "method": "full",
    "seed": 0,
    "pair": 0,
    "metric": "psnr",
    "region": "composite",
    "bucket": "(0.1, 0.2]",
    "value": 20.0,
    "note": "",
}
LOW, HIGH = "(0.1, 0.2]", "(0.4, 0.5]"


def rows(*numbers: float, **columns: object) -> list[dict[str, object]]:
    first = 100 if columns.get("bucket") == HIGH else 0  # pairs are numbered through all buckets
    return [ROW | columns | {"pair": first + k, "value": v} for k, v in enumerate(numbers)]


def text(*records: list[dict[str, object]], reported: pd.DataFrame | None = None) -> str:
    return by_bucket(summarise(pd.DataFrame([r for part in records for r in part])), reported)


def cells(block: str) -> dict[str, dict[str, str]]:
    """The first table of a text: header and cell by method."""
    lines = [line for line in block.splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    header, body = split[0], split[2:]
    return {line[0]: dict(zip(header[1:], line[1:], strict=True)) for line in body}


def test_cell_is_mean_and_half_interval() -> None:
    found = cells(text(rows(20.0, 22.0, 24.0, 26.0)))
    assert found == {"full": {f"{LOW} n=4": "23.00 ± 4.11"}}


def test_methods_stand_in_rows_and_buckets_in_columns() -> None:
    found = cells(
        text(
            rows(1.0, method="b"),
            rows(2.0, method="b", bucket=HIGH),
            rows(3.0, method="a"),
            rows(4.0, method="a", bucket=HIGH),
        )
    )
    assert found == {
        "b": {f"{LOW} n=1": "1.00", f"{HIGH} n=1": "2.00"},
        "a": {f"{LOW} n=1": "3.00", f"{HIGH} n=1": "4.00"},
    }
    assert list(found) == ["b", "a"]


def test_each_metric_has_a_block_that_says_what_it_is() -> None:
    page = text(
        rows(20.0, metric="psnr", region="hole"),
        rows(20.0, metric="psnr"),
        rows(0.81234, metric="ssim"),
        rows(3.456, metric="l1_percent"),
        rows(0.1234, metric="lpips_vgg"),
        rows(99.0, metric="psnr", region="raw"),
    )
    blocks = page.split("\n\n")
    titles = [block for block in blocks if block.startswith("**")]
    assert [title.strip("*").split(" (")[0] for title in titles] == [
        "PSNR, dB",
        "SSIM",
        "mean L1, %",
        "LPIPS, VGG-16",
        "PSNR, dB",
    ]
    assert ["hole pixels alone" in title for title in titles] == [False] * 4 + [True]
    found = [cells(block)["full"][f"{LOW} n=1"] for block in blocks if block.startswith("|")]
    assert found == ["20.00", "0.812", "3.46", "0.123", "20.00"]


def test_combination_without_records_is_not_run() -> None:
    found = cells(
        text(rows(1.0, method="a"), rows(2.0, method="b"), rows(3.0, method="b", bucket=HIGH))
    )
    assert found["a"][f"{HIGH} n=1"] == "not run"
    assert found["b"][f"{HIGH} n=1"] == "3.00"


def test_metric_that_nobody_has_says_why() -> None:
    page = text(
        rows(20.0),
        rows(math.nan, math.nan, metric="lpips_alex", note="no ImageNet weights of AlexNet"),
    )
    assert "not measured: no ImageNet weights of AlexNet" in page
    assert "nan" not in page


def test_cell_without_a_value_says_why() -> None:
    found = cells(
        text(
            rows(0.5, 0.5, metric="lpips_alex", method="a"),
            rows(math.nan, math.nan, metric="lpips_alex", method="b", note="switched off"),
        )
    )
    assert found["a"][f"{LOW} n=0/2"] == "0.500 ± 0.000"
    assert found["b"][f"{LOW} n=0/2"] == "switched off"


def test_perfect_images_are_counted_beside_the_mean() -> None:
    found = cells(text(rows(20.0, 20.0, math.inf), rows(math.inf, math.inf, math.inf, method="p")))
    assert found["full"][f"{LOW} n=3"] == "20.00 ± 0.00 (+1 perfect)"
    assert found["p"][f"{LOW} n=3"] == "all perfect"


def test_unequal_counts_are_all_stated() -> None:
    page = text(rows(1.0, 2.0), rows(1.0, 2.0, 3.0, method="other"))
    assert f"{LOW} n=2/3" in page


def test_paper_numbers_stand_in_columns_of_their_own() -> None:
    paper = pd.DataFrame(
        [
            {"method": "full", "metric": "psnr", "bucket": LOW, "reported": 98.76},
            {"method": "absent", "metric": "psnr", "bucket": LOW, "reported": 91.11},
            {"method": "full", "metric": "ssim", "bucket": LOW, "reported": 0.777},
        ]
    )
    found = cells(text(rows(20.0), rows(21.0, method="mine"), reported=paper))
    assert found == {
        "full": {f"{LOW} n=1": "20.00", f"paper {LOW}": "98.76"},
        "mine": {f"{LOW} n=1": "21.00", f"paper {LOW}": ""},
    }


def test_number_of_the_paper_never_fills_a_missing_cell() -> None:
    found = cells(
        text(
            rows(20.0, method="full"),
            rows(21.0, method="no-gan"),
            rows(19.0, method="full", bucket=HIGH),
            reported=table2().numbers,
        )
    )
    assert found["no-gan"][f"{HIGH} n=1"] == "not run"
    assert found["no-gan"][f"paper {HIGH}"] == "22.70"
    measured = [v for line in found.values() for k, v in line.items() if "paper" not in k]
    assert sorted(measured) == ["19.00", "20.00", "21.00", "not run"]


def test_hole_values_stand_without_the_papers() -> None:
    page = text(rows(20.0, region="hole"), reported=table2().numbers)
    assert "paper" not in page


def test_metric_that_the_paper_lacks_has_no_paper_columns() -> None:
    page = text(rows(0.2, metric="lpips_alex"), reported=table2().numbers)
    assert "paper" not in page


@pytest.mark.parametrize(
    ("method", "metric", "bucket", "value"),
    [
        ("full", "psnr", LOW, 28.73),
        ("no-gan", "psnr", "(0.3, 0.4]", 24.46),
        ("unlearned", "ssim", HIGH, 0.583),
        ("3x3", "ssim", "(0.2, 0.3]", 0.793),
    ],
)
def test_reported_table_holds_the_papers_numbers(
    method: str, metric: str, bucket: str, value: float
) -> None:
    paper = table2().numbers
    assert len(paper) == 64
    row = paper[
        (paper["method"] == method) & (paper["metric"] == metric) & (paper["bucket"] == bucket)
    ]
    assert row["reported"].tolist() == [value]


@pytest.mark.parametrize(
    ("method", "metric", "bucket", "value"),
    [
        ("full", "psnr", LOW, 28.51),
        ("pconv", "l1_percent", LOW, 1.09),
        ("global-local", "ssim", HIGH, 0.545),
        ("contextual-attention", "psnr", "(0.2, 0.3]", 23.56),
        ("patchmatch", "l1_percent", HIGH, 5.22),
    ],
)
def test_first_table_holds_the_papers_numbers_by_our_names(
    method: str, metric: str, bucket: str, value: float
) -> None:
    paper = table1().numbers
    assert len(paper) == 60
    row = paper[
        (paper["method"] == method) & (paper["metric"] == metric) & (paper["bucket"] == bucket)
    ]
    assert row["reported"].tolist() == [value]


def test_markdown_columns_are_aligned() -> None:
    assert table(["a", "long"], [["wide cell", "1"], ["b", "22"]]) == (
        "| a         | long |\n|-----------|------|\n| wide cell | 1    |\n| b         | 22   |"
    )
