import math

import numpy as np
import pandas as pd
import pytest

from reports.analysis.differences import paired
from reports.analysis.summary import summarise
from reports.paper.reported import table1, table2
from reports.tables.formats import Cell, Table
from reports.tables.metrics import by_bucket, differences

ROW = {
    "manifest": "m",
    "method": "full",
    "seed": 0,
    "pair": 0,
    "image": "a",
    "metric": "psnr",
    "region": "composite",
    "bucket": "(0.1, 0.2]",
    "value": 20.0,
    "note": "",
}
LOW, HIGH = "(0.1, 0.2]", "(0.4, 0.5]"


def rows(*numbers: float, **columns: object) -> list[dict[str, object]]:
    first = 100 if columns.get("bucket") == HIGH else 0  # pairs are numbered through all buckets
    return [
        ROW | columns | {"pair": first + k, "image": f"image {k}", "value": v}
        for k, v in enumerate(numbers)
    ]


def tables(*records: list[dict[str, object]], reported: pd.DataFrame | None = None) -> list[Table]:
    return by_bucket(summarise(pd.DataFrame([r for part in records for r in part])), reported)


def grid(table: Table) -> dict[str, dict[str, Cell]]:
    """Cells by method and column, without the column of all buckets."""
    return {
        row[0].text: {
            name: cell
            for name, cell in zip(table.header[1:], row[1:], strict=True)
            if not name.startswith("all n=")
        }
        for row in table.rows
    }


def cells(table: Table) -> dict[str, dict[str, str]]:
    return {m: {column: c.text for column, c in row.items()} for m, row in grid(table).items()}


def marks(table: Table, column: int = 1) -> dict[str, str]:
    return {row[0].text: row[column].mark for row in table.rows}


def test_cell_is_mean_and_half_interval() -> None:
    found = cells(tables(rows(20.0, 22.0, 24.0, 26.0))[0])
    assert found == {"full": {f"{LOW} n=4": "23.00 ± 4.11"}}


def test_methods_stand_in_rows_and_buckets_in_columns() -> None:
    table = tables(
        rows(1.0, method="b"),
        rows(2.0, method="b", bucket=HIGH),
        rows(3.0, method="a"),
        rows(4.0, method="a", bucket=HIGH),
    )[0]
    found = cells(table)
    assert found == {
        "b": {f"{LOW} n=1": "1.00", f"{HIGH} n=1": "2.00"},
        "a": {f"{LOW} n=1": "3.00", f"{HIGH} n=1": "4.00"},
    }
    assert list(found) == ["b", "a"]


def test_each_metric_has_a_table_that_says_what_it_is() -> None:
    found = tables(
        rows(20.0, metric="psnr", region="hole"),
        rows(20.0, metric="psnr"),
        rows(0.81234, metric="ssim"),
        rows(3.456, metric="l1_percent"),
        rows(0.1234, metric="lpips_vgg"),
        rows(99.0, metric="psnr", region="raw"),
    )
    assert [table.title for table in found] == [
        "PSNR, dB (higher is better), composite",
        "SSIM (higher is better), composite",
        "mean L1, % (lower is better), composite",
        "LPIPS, VGG-16 (lower is better), composite",
        "PSNR, dB (higher is better), hole pixels alone",
    ]
    texts = [cells(table)["full"][f"{LOW} n=1"] for table in found]
    assert texts == ["20.00", "0.812", "3.46", "0.123", "20.00"]


def test_combination_without_records_is_not_run() -> None:
    table = tables(
        rows(1.0, method="a"), rows(2.0, method="b"), rows(3.0, method="b", bucket=HIGH)
    )[0]
    assert grid(table)["a"][f"{HIGH} n=1"] == Cell("not run", "missing")
    assert cells(table)["b"][f"{HIGH} n=1"] == "3.00"


def test_metric_that_nobody_has_says_why() -> None:
    missing = rows(math.nan, math.nan, metric="lpips_alex", note="no ImageNet weights of AlexNet")
    table = tables(rows(20.0), missing)[1]
    assert table.note == "not measured: no ImageNet weights of AlexNet"
    assert not table.header
    assert set(table.data["note"]) == {"no ImageNet weights of AlexNet"}


def test_cell_without_a_value_says_why() -> None:
    table = tables(
        rows(0.5, 0.5, metric="lpips_alex", method="a"),
        rows(math.nan, math.nan, metric="lpips_alex", method="b", note="switched off"),
    )[0]
    found = grid(table)
    assert found["a"][f"{LOW} n=0/2"].text == "0.500 ± 0.000"
    assert found["b"][f"{LOW} n=0/2"] == Cell("not measured: switched off", "missing")


def test_perfect_images_are_counted_beside_the_mean() -> None:
    table = tables(rows(20.0, 20.0, math.inf), rows(math.inf, math.inf, math.inf, method="p"))[0]
    assert cells(table)["full"][f"{LOW} n=3"] == "20.00 ± 0.00 (+1 perfect)"
    assert grid(table)["p"][f"{LOW} n=3"] == Cell("all perfect", "missing")


def test_unequal_counts_are_all_stated() -> None:
    table = tables(rows(1.0, 2.0), rows(1.0, 2.0, 3.0, method="other"))[0]
    assert table.header == ["method", f"{LOW} n=2/3", "all n=2/3"]


def test_intervals_are_over_images_and_seeds() -> None:
    table = tables(
        rows(20.0, 30.0, seed=0), rows(21.0, 35.0, seed=1), rows(20.0, 30.0, method="one")
    )[0]
    # Means 20.5 and 32.5 of images, 25 and 28 of seeds; both have one degree of freedom, 12.706.
    # MA = 2 x 4.5, MB = 2 x 72, ME = 4: variance (9 + 140) / 4.
    assert cells(table)["full"][f"{LOW} n=2"] == f"26.50 ± {12.7062 * math.sqrt(149 / 4):.2f}"
    assert cells(table)["one"][f"{LOW} n=2"] == "25.00 ± 63.53"
    assert table.note.startswith("± is a 95 % interval over 2 images and 1-2 seeds;")


def test_the_last_measured_column_is_over_all_buckets() -> None:
    table = tables(rows(20.0, 24.0), rows(10.0, 14.0, bucket=HIGH))[0]
    assert table.header == ["method", f"{LOW} n=2", f"{HIGH} n=2", "all n=4"]
    assert table.rows[0][3].text == "17.00 ± 25.41"  # two images, not four: 12.706 x 2


@pytest.mark.parametrize(
    ("metric", "best", "second"), [("psnr", "c", "b"), ("l1_percent", "a", "b")]
)
def test_best_and_second_best_respect_the_direction(metric: str, best: str, second: str) -> None:
    numbers = {"a": 1.0, "b": 2.0, "c": 3.0}
    table = tables(*(rows(v, method=m, metric=metric) for m, v in numbers.items()))[0]
    assert marks(table) == dict.fromkeys("abc", "") | {best: "best", second: "second"}


def test_equal_as_printed_share_the_mark() -> None:
    values = {"a": 20.001, "b": 20.004, "c": 19.0, "d": 19.001, "e": 18.0}
    table = tables(*(rows(v, method=m) for m, v in values.items()))[0]
    assert marks(table) == {"a": "best", "b": "best", "c": "second", "d": "second", "e": ""}


def test_only_measured_cells_are_marked() -> None:
    paper = pd.DataFrame(
        {"method": ["a", "b"], "metric": "psnr", "bucket": LOW, "reported": [99.0, 98.0]}
    )
    table = tables(
        rows(20.0, method="a"), rows(21.0, method="b"), rows(math.inf, method="c"), reported=paper
    )[0]
    assert marks(table) == {"a": "second", "b": "best", "c": ""}
    assert set(marks(table, 3).values()) == {""}


def test_lone_value_is_not_marked() -> None:
    table = tables(
        rows(20.0, method="a"), rows(21.0, method="b"), rows(21.0, method="a", bucket=HIGH)
    )[0]
    assert marks(table, 2) == {"a": "", "b": ""}


def test_paper_numbers_stand_in_columns_of_their_own() -> None:
    paper = pd.DataFrame(
        [
            {"method": "full", "metric": "psnr", "bucket": LOW, "reported": 98.76},
            {"method": "absent", "metric": "psnr", "bucket": LOW, "reported": 91.11},
            {"method": "full", "metric": "ssim", "bucket": LOW, "reported": 0.777},
        ]
    )
    table = tables(rows(20.0), rows(21.0, method="mine"), reported=paper)[0]
    assert cells(table) == {
        "full": {f"{LOW} n=1": "20.00", f"paper {LOW}": "98.76"},
        "mine": {f"{LOW} n=1": "21.00", f"paper {LOW}": ""},
    }
    assert grid(table)["full"][f"paper {LOW}"].kind == "reported"
    assert table.data["mean"].tolist() == [20, 20, 21, 21]  # the bucket, and all buckets
    assert table.data["reported"].tolist()[0] == 98.76


def test_number_of_the_paper_never_fills_a_missing_cell() -> None:
    table = tables(
        rows(20.0, method="full"),
        rows(21.0, method="no-gan"),
        rows(19.0, method="full", bucket=HIGH),
        reported=table2().numbers,
    )[0]
    found = cells(table)
    assert found["no-gan"][f"{HIGH} n=1"] == "not run"
    assert found["no-gan"][f"paper {HIGH}"] == "22.70"
    measured = [v for line in found.values() for k, v in line.items() if "paper" not in k]
    assert sorted(measured) == ["19.00", "20.00", "21.00", "not run"]
    row = table.data.set_index(["method", "bucket"]).loc[("no-gan", HIGH)]
    assert (row["n"], row["note"], row["reported"]) == (0, "not run", 22.70)
    assert math.isnan(row["mean"])


def test_hole_values_stand_without_the_papers() -> None:
    table = tables(rows(20.0, region="hole"), reported=table2().numbers)[0]
    assert table.header == ["method", f"{LOW} n=1", "all n=1"]


def test_metric_that_the_paper_lacks_has_no_paper_columns() -> None:
    table = tables(rows(0.2, metric="lpips_alex"), reported=table2().numbers)[0]
    assert table.header == ["method", f"{LOW} n=1", "all n=1"]


def test_numbers_behind_a_table_are_not_rounded() -> None:
    table = tables(rows(20.123456, 21.0), rows(math.inf, 3.0, method="b"))[0]
    row = table.data.iloc[0]
    assert row["mean"] == pytest.approx(20.561728)
    assert row["half_width"] == pytest.approx(12.7062047 * 0.876544 / 2, rel=1e-6)
    assert table.data["n"].tolist() == [2, 2, 1, 1]
    assert table.data["perfect"].tolist() == [0, 0, 1, 1]
    assert grid(table)["full"][f"{LOW} n=2"].value == pytest.approx(20.561728)


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


SHIFTED = 20 + np.linspace(-2, 2, 20)


def compared(*records: list[dict[str, object]], reference: str = "full") -> list[Table]:
    frame = pd.DataFrame([r for part in records for r in part])
    return differences(paired(frame, reference), reference)


def test_the_first_table_of_a_metric_holds_the_verdicts() -> None:
    table, _ = compared(
        rows(*SHIFTED), rows(*(SHIFTED + 1), method="b"), rows(1.0, bucket=HIGH),
        rows(math.inf, bucket=HIGH, method="b"),
    )  # fmt: skip
    assert table.title == (
        "PSNR, dB (higher is better), composite: difference from full, of these trained networks "
        "(one seed)"
    )
    assert cells(table)["b"] == {
        "seeds": "1",
        "images": "20",
        "difference": "+1.000",
        "95 % interval": "[+1.000, +1.000]",
        "p (Holm)": "<0.001",
        "verdict": "better",
    }
    assert table.note == (
        "Margin of equality: 0.1 dB. Pairs left out (missing, or perfect): 1 for b."
    )


def test_with_several_seeds_the_title_speaks_of_the_methods() -> None:
    both = [
        rows(*(SHIFTED + shift + seed), seed=seed, method=method)
        for seed in range(3)
        for method, shift in (("full", 0), ("b", 1))
    ]
    assert compared(*both)[0].title.endswith("from full, of the methods (over 3 seeds)")


def test_buckets_are_exploratory() -> None:
    wavy = SHIFTED + 0.3 * np.cos(np.arange(20) * 2.5)
    table = compared(rows(*SHIFTED), rows(*(SHIFTED - 1), method="b"), rows(*wavy, method="c"))[1]
    assert table.title.endswith("by bucket (exploratory)")
    assert table.header == ["method", f"{LOW} n=20"]
    found = cells(table)
    assert found["b"][f"{LOW} n=20"] == "−1.000 [−1.000, −1.000] worse"
    assert found["c"][f"{LOW} n=20"].endswith("]")
    assert grid(table)["b"][f"{LOW} n=20"].value == pytest.approx(-1)


def test_cells_that_could_not_be_tested_say_so() -> None:
    together, by_bucket_ = compared(rows(1.0), rows(2.0, method="b"), rows(math.nan, method="c"))
    found = cells(by_bucket_)
    assert found["b"][f"{LOW} n=0/1"] == "+1.000"
    assert found["c"][f"{LOW} n=0/1"].startswith("not compared: no pair has both values")
    assert cells(together)["b"]["p (Holm)"] == "-"
    assert cells(together)["b"]["verdict"] == "not tested: one image"


def test_metric_that_nobody_has_is_not_compared() -> None:
    lpips = [rows(math.nan, metric="lpips_alex", method=m, note="no") for m in ("full", "b")]
    found = compared(rows(*SHIFTED), rows(*(SHIFTED + 1), method="b"), *lpips)
    assert [table.title.split(",")[0] for table in found] == ["PSNR", "PSNR"]


def test_numbers_of_a_metric_stand_behind_one_of_its_two_tables() -> None:
    first, second = compared(rows(*SHIFTED), rows(*(SHIFTED + 1), method="b"))
    assert first.data["bucket"].tolist() == [LOW, "all"]
    assert second.data.empty


@pytest.mark.parametrize("method", ["full", "b"])
def test_without_reference_or_other_method_there_is_a_reason(method: str) -> None:
    (table,) = compared(rows(*SHIFTED, method=method))
    assert not table.header
    assert table.note == (
        "Not compared: that needs full and another method on the same test pairs."
    )
