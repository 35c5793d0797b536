import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.analysis.summary import interval_note, summarise, summarise_families
from reports.analysis.units import ALL

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
    "fingerprint": "f",
}


def frame(*changes: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame([ROW | change for change in changes])


def values(*numbers: float, **columns: object) -> list[dict[str, object]]:
    """Records of one pair an image."""
    return [
        {"pair": pair, "image": f"image {pair}", "value": value, **columns}
        for pair, value in enumerate(numbers)
    ]


def only(records: pd.DataFrame) -> pd.Series:
    """The one row of a bucket."""
    summary = summarise(records)
    summary = summary[summary["bucket"] != ALL]
    assert len(summary) == 1
    return summary.iloc[0]


def test_interval_equals_scipy() -> None:
    sample = np.random.default_rng(0).normal(25, 3, 40)
    row = only(frame(*values(*sample)))
    low, high = stats.t.interval(0.95, 39, sample.mean(), stats.sem(sample))
    assert (row["n"], row["images"], row["seeds"]) == (40, 40, 1)
    assert row["mean"] == pytest.approx(sample.mean())
    assert row["mean"] - row["half"] == pytest.approx(low)
    assert row["mean"] + row["half"] == pytest.approx(high)


def test_pairs_of_one_image_are_one_observation() -> None:
    """Twelve crops of three images say as much as three images."""
    of_image = {"a": [20.0, 21.0, 19.0, 20.0], "b": [24.0, 25.0], "c": [28.0, 27.0, 29.0]}
    rows = [
        {"image": image, "value": value, "pair": 10 * k + j}
        for k, (image, found) in enumerate(of_image.items())
        for j, value in enumerate(found)
    ]
    row = only(frame(*rows))
    means = [20.0, 24.5, 28.0]
    assert (row["n"], row["images"]) == (9, 3)
    assert row["mean"] == pytest.approx(np.mean(means))
    assert row["half"] == pytest.approx(stats.t.ppf(0.975, 2) * stats.sem(means))


def test_the_same_image_in_every_bucket_counts_once_over_all() -> None:
    rows = [
        {**row, "bucket": bucket, "pair": row["pair"] + 100 * number}
        for number, bucket in enumerate(("(0.1, 0.2]", "(0.2, 0.3]"))
        for row in values(20.0, 24.0, 28.0)
    ]
    overall = summarise(frame(*rows)).set_index("bucket").loc[ALL]
    assert (overall["n"], overall["images"], overall["mean"]) == (6, 3, 24)
    assert overall["half"] == pytest.approx(stats.t.ppf(0.975, 2) * 4 / math.sqrt(3))


def test_infinite_values_are_left_out_and_counted() -> None:
    row = only(frame(*values(20.0, math.inf, 24.0, math.inf, math.inf)))
    assert row["mean"] == 22
    assert (row["n"], row["perfect"]) == (2, 3)


def test_all_perfect_has_no_mean() -> None:
    row = only(frame(*values(math.inf, math.inf)))
    assert math.isnan(row["mean"])
    assert (row["n"], row["perfect"]) == (0, 2)


def test_seeds_and_images_are_crossed() -> None:
    sample = np.random.default_rng(1).normal(25, 3, (1, 30)) + np.array([[0.0], [1.0], [-1.0]])
    sample += np.random.default_rng(2).normal(0, 0.1, (3, 30))
    row = only(frame(*(r for k, v in enumerate(sample) for r in values(*v, seed=k))))
    assert (row["seeds"], row["images"], row["n"]) == (3, 30, 30)
    assert row["mean"] == pytest.approx(sample.mean())
    over_images = stats.t.ppf(0.975, 29) * stats.sem(sample.mean(axis=0))
    over_seeds = stats.t.ppf(0.975, 2) * stats.sem(sample.mean(axis=1))
    assert over_images < row["half"] == pytest.approx(over_seeds, rel=0.1)  # seeds decide here


def test_a_pair_that_one_seed_lacks_is_left_out() -> None:
    """A mean over the other seeds would be another quantity than that of the other pairs."""
    row = only(frame(*values(20.0, 30.0, 40.0, seed=0), *values(22.0, 34.0, seed=1)))
    assert (row["n"], row["mean"]) == (2, 26.5)


def test_a_pair_that_one_seed_fills_perfectly_is_left_out_and_counted() -> None:
    row = only(frame(*values(math.inf, 20.0, 21.0, seed=0), *values(30.0, 22.0, 23.0, seed=1)))
    assert (row["n"], row["perfect"], row["mean"]) == (2, 1, 21.5)


def test_seed_without_a_value_is_no_seed() -> None:
    row = only(frame(*values(20.0, 30.0, seed=0), *values(math.nan, math.nan, seed=1)))
    assert (row["seeds"], row["mean"]) == (1, 25)


def test_method_measured_beside_several_runs_counts_once() -> None:
    rows = values(10.0, 14.0, method="mean-colour")
    row = only(frame(*rows, *({**r, "fingerprint": "other run"} for r in rows)))
    assert (row["n"], row["mean"], row["seeds"]) == (2, 12, 1)
    assert row["half"] == only(frame(*rows))["half"]


def test_missing_values_carry_their_reason() -> None:
    row = only(frame(*values(math.nan, math.nan, note="no weights", metric="lpips_alex")))
    assert (row["n"], row["perfect"]) == (0, 0)
    assert math.isnan(row["mean"])
    assert row["note"] == "no weights"


def test_reason_of_a_later_pair_is_kept() -> None:
    row = only(frame({"value": math.inf}, {"pair": 1, "value": math.nan, "note": "no weights"}))
    assert row["note"] == "no weights"


def test_groups_are_apart_and_methods_in_the_order_of_appearance() -> None:
    records = frame(
        {"method": "z", "bucket": "(0.2, 0.3]", "value": 1.0},
        {"method": "z", "bucket": "(0.1, 0.2]", "value": 2.0, "pair": 1},
        {"method": "a", "bucket": "(0.2, 0.3]", "value": 3.0},
        {"method": "a", "bucket": "(0.2, 0.3]", "value": 4.0, "region": "hole"},
        {"method": "a", "bucket": "(0.2, 0.3]", "value": 5.0, "metric": "ssim"},
    )
    summary = summarise(records)
    measured = summary[(summary["bucket"] != ALL) & (summary["n"] > 0)]
    assert measured["mean"].tolist() == [1, 2, 3, 4, 5]
    assert measured["method"].tolist() == ["z", "z", "a", "a", "a"]


def test_single_image_has_no_interval() -> None:
    row = only(frame({}, {"pair": 1, "value": 22.0}))
    assert (row["mean"], row["n"], row["images"]) == (21, 2, 1)
    assert math.isnan(row["half"])


def test_one_image_under_two_manifests_is_one_image() -> None:
    row = only(frame({"value": 10.0}, {"value": 20.0, "manifest": "other"}))
    assert (row["n"], row["images"]) == (2, 1)


def test_the_note_says_over_how_much_the_intervals_are() -> None:
    one = summarise(frame(*values(20.0, 30.0)))
    assert interval_note(one).startswith("± is a 95 % interval over 2 images;")
    rows = [*values(20.0, 30.0, 40.0), *values(20.0, 30.0, 40.0, seed=1)]
    several = summarise(frame(*rows, *values(1.0, 2.0, 3.0, method="other")))
    assert interval_note(several).startswith("± is a 95 % interval over 3 images and 1-2 seeds;")


def test_families_stand_in_the_place_of_buckets_with_the_statistics_of_their_pairs() -> None:
    """Against a plain mean over the images of each family's pairs."""
    rng = np.random.default_rng(1)
    masks = ["shapes/test/0/1/3", "shapes/test/0/2/4", "00123.png", "strokes/test/0/1/0"]
    rows = [
        {
            "pair": pair, "image": f"i{pair % 3}", "mask": masks[pair % 4],
            "bucket": ("(0.1, 0.2]", "(0.2, 0.3]")[pair % 2], "value": rng.normal(25, 3),
        }
        for pair in range(24)
    ]  # fmt: skip
    records = frame(*rows)
    found = summarise_families(records).set_index("bucket")
    assert list(found.index) == ["shapes", "files", "strokes", ALL]
    family = records["mask"].str.partition("/")[0].replace("00123.png", "files")
    for name, part in records.groupby(family):
        expected = part.groupby("image")["value"].mean()
        assert found.loc[str(name), "mean"] == pytest.approx(expected.mean())
        assert (found.loc[str(name), "n"], found.loc[str(name), "images"]) == (len(part), 3)
    # As the records are read: texts are categories.
    kinds = records.astype({"mask": "category", "bucket": "category", "image": "category"})
    pd.testing.assert_frame_equal(summarise_families(kinds), summarise_families(records))


def test_one_family_needs_no_rows() -> None:
    assert summarise_families(frame(*values(20.0, 21.0, mask="shapes,strokes/test/0/1/3"))).empty
