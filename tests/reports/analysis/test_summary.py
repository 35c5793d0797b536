import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.analysis.summary import per_pair, summarise

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
    "fingerprint": "f",
}


def frame(*changes: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame([ROW | change for change in changes])


def values(*numbers: float, **columns: object) -> list[dict[str, object]]:
    return [{"pair": pair, "value": value, **columns} for pair, value in enumerate(numbers)]


def only(records: pd.DataFrame) -> pd.Series:
    summary = summarise(records)
    assert len(summary) == 1
    return summary.iloc[0]


def test_interval_equals_scipy() -> None:
    sample = np.random.default_rng(0).normal(25, 3, 40)
    row = only(frame(*values(*sample)))
    low, high = stats.t.interval(0.95, 39, sample.mean(), stats.sem(sample))
    assert row["n"] == 40
    assert row["mean"] == pytest.approx(sample.mean())
    assert row["mean"] - row["half"] == pytest.approx(low)
    assert row["mean"] + row["half"] == pytest.approx(high)


def test_interval_equals_one_worked_by_hand() -> None:
    row = only(frame(*values(20.0, 22.0, 24.0, 26.0)))
    # Variance (9 + 1 + 1 + 9) / 3; Student's quantile 0.975 at 3 degrees of freedom is 3.18245.
    assert row["mean"] == 23
    assert row["half"] == pytest.approx(3.18245 * math.sqrt(20 / 3) / 2, rel=1e-5)


def test_infinite_values_are_left_out_and_counted() -> None:
    row = only(frame(*values(20.0, math.inf, 24.0, math.inf, math.inf)))
    assert row["mean"] == 22
    assert (row["n"], row["perfect"]) == (2, 3)
    assert row["half"] == pytest.approx(stats.t.ppf(0.975, 1) * math.sqrt(8) / math.sqrt(2))


def test_all_perfect_has_no_mean() -> None:
    row = only(frame(*values(math.inf, math.inf)))
    assert math.isnan(row["mean"])
    assert (row["n"], row["perfect"]) == (0, 2)


def test_seeds_are_averaged_per_pair_first() -> None:
    row = only(
        frame(*values(20.0, 24.0, 28.0, seed=0), *values(22.0, 28.0, 28.0, seed=1))
    )  # 21, 26, 28
    per_pair = np.array([21.0, 26.0, 28.0])
    assert row["n"] == 3
    assert row["mean"] == 25
    assert row["half"] == pytest.approx(stats.t.ppf(0.975, 2) * per_pair.std(ddof=1) / math.sqrt(3))


def test_pair_measured_by_fewer_seeds_weighs_as_much_as_the_others() -> None:
    row = only(frame(*values(20.0, 30.0, seed=0), *values(22.0, seed=1)))
    assert row["mean"] == 25.5


def test_pair_perfect_under_one_seed_is_counted_once() -> None:
    row = only(frame(*values(math.inf, 20.0, seed=0), *values(30.0, 22.0, seed=1)))
    assert row["n"] + row["perfect"] == 2


def test_method_measured_beside_several_runs_counts_once() -> None:
    rows = values(10.0, 14.0, method="mean-colour")
    row = only(frame(*rows, *({**r, "fingerprint": "other run"} for r in rows)))
    assert (row["n"], row["mean"]) == (2, 12)
    assert row["half"] == only(frame(*rows))["half"]


def test_seed_measured_twice_weighs_as_much_as_the_others() -> None:
    row = only(
        frame(
            {"value": 10.0, "seed": 0},
            {"value": 10.0, "seed": 0, "fingerprint": "other run"},
            {"value": 16.0, "seed": 1},
        )
    )
    assert row["mean"] == 13


def test_missing_values_carry_their_reason() -> None:
    row = only(frame(*values(math.nan, math.nan, note="no weights", metric="lpips_alex")))
    assert (row["n"], row["perfect"]) == (0, 0)
    assert math.isnan(row["mean"])
    assert row["note"] == "no weights"


def test_groups_are_apart_and_in_the_order_of_appearance() -> None:
    records = frame(
        {"method": "z", "bucket": "(0.2, 0.3]", "value": 1.0},
        {"method": "z", "bucket": "(0.1, 0.2]", "value": 2.0, "pair": 1},
        {"method": "a", "bucket": "(0.2, 0.3]", "value": 3.0},
        {"method": "a", "bucket": "(0.2, 0.3]", "value": 4.0, "region": "hole"},
        {"method": "a", "bucket": "(0.2, 0.3]", "value": 5.0, "metric": "ssim"},
    )
    summary = summarise(records)
    assert summary["mean"].tolist() == [1, 2, 3, 4, 5]
    assert summary["method"].tolist() == ["z", "z", "a", "a", "a"]
    assert summary["n"].tolist() == [1] * 5


def test_single_value_has_no_interval() -> None:
    row = only(frame({}))
    assert (row["mean"], row["n"]) == (20, 1)
    assert math.isnan(row["half"])


def test_interval_over_seeds_is_students_over_their_means() -> None:
    row = only(
        frame(*values(20.0, 30.0, seed=0), *values(21.0, 35.0, seed=1), *values(22.0, 31.0, seed=2))
    )  # means 25, 28, 26.5: deviation 1.5; Student's quantile at 2 degrees of freedom is 4.30265
    assert row["seeds"] == 3
    assert row["half_seeds"] == pytest.approx(4.30265 * 1.5 / math.sqrt(3), rel=1e-5)


def test_interval_over_seeds_equals_scipy() -> None:
    sample = np.random.default_rng(1).normal(25, 3, (4, 30))
    row = only(frame(*(r for k, v in enumerate(sample) for r in values(*v, seed=k))))
    means = sample.mean(axis=1)
    low, high = stats.t.interval(0.95, 3, means.mean(), stats.sem(means))
    assert row["half_seeds"] == pytest.approx((high - low) / 2)
    assert row["half"] != pytest.approx(row["half_seeds"])


def test_one_seed_has_no_interval_over_seeds() -> None:
    row = only(frame(*values(20.0, 30.0)))
    assert row["seeds"] == 1
    assert math.isnan(row["half_seeds"])


def test_seed_without_a_value_is_no_seed() -> None:
    row = only(frame(*values(20.0, 30.0, seed=0), *values(math.nan, math.nan, seed=1)))
    assert (row["seeds"], row["mean"]) == (1, 25)


def test_method_measured_beside_several_runs_has_one_seed() -> None:
    rows = values(10.0, 14.0)
    row = only(frame(*rows, *({**r, "fingerprint": "other run"} for r in rows)))
    assert row["seeds"] == 1


def test_reason_of_a_later_pair_is_kept() -> None:
    row = only(frame({"value": math.inf}, {"pair": 1, "value": math.nan, "note": "no weights"}))
    assert row["note"] == "no weights"


def test_pairs_of_two_manifests_are_apart() -> None:
    row = only(frame({"value": 10.0}, {"value": 20.0, "manifest": "other"}))
    assert row["n"] == 2


def test_per_pair_averages_finite_seeds() -> None:
    pairs = per_pair(
        frame(
            *values(20.0, math.inf, math.inf, math.nan, seed=0),
            *values(22.0, 30.0, math.inf, math.nan, seed=1),
        )
    )
    assert pairs["value"].tolist()[:2] == [21, 30]
    assert pairs["value"].isna().tolist() == [False, False, True, True]
    assert pairs["perfect"].tolist() == [False, False, True, False]
