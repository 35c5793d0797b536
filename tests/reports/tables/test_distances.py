import math
from typing import Any

import pandas as pd

from bench.evaluation.distances.table import COLUMNS
from reports.analysis.distances import over_data_sets, over_seeds
from reports.tables import listings
from reports.tables.distances import distance_tables, distances_by_dataset


def row(**fields: Any) -> dict[str, Any]:
    usual = {
        "family": "variant", "method": "full", "seed": 0, "bucket": "all", "metric": "fid",
        "value": 10.0, "n": 5000, "reason": "", "manifest": "m",
    }  # fmt: skip
    return usual | fields


def found(*rows: dict[str, Any]) -> pd.DataFrame:
    return over_seeds(pd.DataFrame(rows, columns=list(COLUMNS)))


def test_methods_stand_in_rows_and_buckets_in_columns() -> None:
    small = {"bucket": "(0.1, 0.2]", "n": 1200}
    (table,) = distance_tables(
        found(
            row(**small, value=math.nan, reason="1,200 of 2,048 different images"),
            row(),
            row(**small, method="b", value=math.nan, reason="1,200 of 2,048 different images"),
            row(method="b", value=8.123),
        ),
        ["full", "b", "unfinished"],
    )
    assert table.title == "FID (lower is better), composite"
    assert table.header == ["method", "(0.1, 0.2] n=1200", "all n=5000"]
    texts = [[cell.text for cell in line] for line in table.rows]
    why = "not measured: 1,200 of 2,048 different images"
    assert texts == [["full", why, "10.00"], ["b", why, "8.12"], ["unfinished", "-", "-"]]
    assert [line[2].mark for line in table.rows] == ["second", "best", ""]
    assert "equal n" in table.note and "±" not in table.note


def test_higher_scores_are_better() -> None:
    rows = [row(metric="p_ids", value=v, method=m) for m, v in (("full", 0.1), ("b", 0.2))]
    (table,) = distance_tables(found(*rows))
    assert [line[1].mark for line in table.rows] == ["second", "best"]


def test_a_negative_distance_has_a_minus_sign() -> None:
    rows = row(metric="kid", value=-0.0001), row(metric="kid", value=-1e-9, method="b")
    (table,) = distance_tables(found(*rows))
    assert [line[1].text for line in table.rows] == ["−0.00010", "0.00000"]


def test_several_seeds_have_mean_and_deviation() -> None:
    (table,) = distance_tables(
        found(row(value=9.0), row(seed=1, value=11.0), row(method="floor", value=50.0))
    )
    assert [line[1].text for line in table.rows] == ["10.00 ± 1.41", "50.00"]
    assert table.note.endswith("± is the standard deviation of single trainings, over 1-2 seeds.")
    (data,) = table.data[table.data["method"] == "full"].to_dict("records")
    assert data["seeds"] == 2 and data["sd"] == math.sqrt(2)


def test_distances_that_nobody_has_are_named_together_with_the_reasons() -> None:
    kinds = {"fid": "5 of 9 images", "kid": "no weights", "p_ids": "no weights"}
    rows = [row(metric=m, value=math.nan, reason=why) for m, why in kinds.items()]
    (table,) = distance_tables(found(*rows))
    assert (table.title, table.header) == ("FID, KID, P-IDS, composite", ())
    assert table.note == "not measured: FID: 5 of 9 images; KID, P-IDS: no weights"
    assert len(table.data) == 3


def test_runs_of_older_versions_have_no_table() -> None:
    assert distance_tables(found(), ["full"]) == []


def test_data_sets_stand_side_by_side_over_all_buckets() -> None:
    rows = [
        row(manifest="q", value=7.0),
        row(manifest="p", value=9.0),
        row(manifest="p", value=5.0, bucket="(0.1, 0.2]"),
        row(manifest="q", value=8.0, method="b"),
        row(manifest="p", metric="kid", value=math.nan, reason="no weights"),
    ]
    names = {"p": "photos", "q": "Other"}
    (table,) = distances_by_dataset(over_data_sets(pd.DataFrame(rows), names), "by data set")
    assert table.title == "FID (lower is better), composite, by data set"
    assert table.header == ["method", "photos n=5000", "Other n=5000"]
    texts = [[cell.text for cell in line] for line in table.rows]
    assert texts == [["full", "9.00", "7.00"], ["b", "-", "8.00"]]
    data = table.data.set_index(["method", "dataset", "bucket"])
    assert data.loc[("b", "Other", "all"), "mean"] == 8
    none = pd.DataFrame(columns=list(COLUMNS))
    assert distances_by_dataset(over_data_sets(none, names), "by data set") == []


def test_the_listing_of_metrics_says_how_many_images_a_distance_needs() -> None:
    lines = [line.split() for line in listings.metrics().splitlines()]
    assert ["|", "fid", "|", "FID", "|", "lower", "is", "better", "|", "2,048", "|"] in lines
