import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.analysis.differences import (
    ALL,
    COLUMNS,
    bootstrap_interval,
    comparison_note,
    holm,
    paired,
    rank_biserial,
)

LOW, HIGH = "(0.1, 0.2]", "(0.4, 0.5]"
Values = np.ndarray


def records(metric: str = "psnr", bucket: str = LOW, seed: int = 0, **methods: Values) -> list:
    """Records of methods' values, one per pair; pairs are numbered through both buckets."""
    first = 1000 if bucket == HIGH else 0
    return [
        {
            "manifest": "m", "method": method.replace("_", "-"), "seed": seed, "pair": first + pair,
            "metric": metric, "region": "composite", "bucket": bucket, "value": value, "note": "",
        }
        for method, values in methods.items()
        for pair, value in enumerate(values)
    ]  # fmt: skip


def sample(shift: float = 0.0, n: int = 30, seed: int = 0) -> tuple[Values, Values]:
    """Values of the reference and of a method, whose differences have the mean `shift`."""
    rng = np.random.default_rng(seed)
    reference = rng.normal(25, 3, n)
    return reference, reference + rng.normal(shift, 1, n)


def compare(*parts: list, bucket: str = LOW, **chosen: str) -> pd.Series:
    rows = paired(pd.DataFrame([row for part in parts for row in part]), "full")
    rows = rows[rows["bucket"] == bucket]
    for column, value in chosen.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_mean_of_paired_differences_and_wilcoxon_equal_scipy() -> None:
    full, other = sample(0.4)
    row = compare(records(full=full, other=other))
    assert row["difference"] == pytest.approx((other - full).mean())
    assert row["p"] == pytest.approx(stats.wilcoxon(other, full, zero_method="wilcox").pvalue)
    assert (row["n"], row["left_out"]) == (30, 0)


def test_pairs_are_matched_by_number_and_not_by_place() -> None:
    full, other = sample(0.4)
    rows = records(full=full, other=other)
    assert compare(rows[::-1]).to_dict() == compare(rows).to_dict()


def test_exact_p_of_six_pairs_is_that_of_all_sign_flips() -> None:
    differences = np.array([1.0, 2.0, -3.0, 4.0, 5.0, 6.0])
    row = compare(records(full=np.zeros(6), other=differences))
    ranks = np.arange(1, 7)
    sums = [sum(c) for k in range(7) for c in combinations(ranks, k)]
    smaller = 3  # the rank of the only negative difference
    assert row["p"] == pytest.approx(2 * np.mean([s <= smaller for s in sums]))


def test_infinite_and_missing_pairs_are_left_out_and_counted() -> None:
    full, other = sample(0.4)
    full[0], other[0], other[1], full[2], other[3] = math.inf, math.inf, math.inf, math.nan, 99.0
    other[4] = math.nan
    row = compare(records(full=full, other=other))
    kept = np.isfinite(full) & np.isfinite(other)
    assert (row["n"], row["left_out"]) == (26, 4)
    assert row["difference"] == pytest.approx((other[kept] - full[kept]).mean())
    assert row["p"] == pytest.approx(stats.wilcoxon(other[kept], full[kept]).pvalue)


def test_seeds_are_averaged_per_pair_first() -> None:
    full, one = sample(0.4)
    two = one + np.random.default_rng(9).normal(0, 1, 30)
    row = compare(records(full=full, other=one), records(seed=1, other=two))
    assert row["n"] == 30
    assert row["p"] == pytest.approx(stats.wilcoxon((one + two) / 2 - full).pvalue)


def test_all_buckets_are_tested_together() -> None:
    (full, other), (full2, other2) = sample(0.4), sample(0.1, seed=1)
    rows = [*records(full=full, other=other), *records(bucket=HIGH, full=full2, other=other2)]
    row = compare(rows, bucket=ALL)
    together = np.concatenate([other - full, other2 - full2])
    assert row["n"] == 60
    assert row["p"] == pytest.approx(stats.wilcoxon(together).pvalue)
    assert paired(pd.DataFrame(rows), "full")["bucket"].tolist() == [LOW, HIGH, ALL]


@pytest.mark.parametrize(
    ("metric", "shift", "verdict"),
    [
        ("psnr", 1.0, "better"),
        ("psnr", -1.0, "worse"),
        ("ssim", 1.0, "better"),
        ("l1_percent", 1.0, "worse"),
        ("lpips_alex", -1.0, "better"),
        ("psnr", 0.0, "cannot be told from full"),
    ],
)
def test_verdict_respects_the_direction_of_the_metric(
    metric: str, shift: float, verdict: str
) -> None:
    full, other = sample(shift)
    assert compare(records(metric, full=full, other=other))["verdict"] == verdict


def test_mean_and_ranks_on_different_sides_give_no_verdict() -> None:
    differences = np.r_[np.linspace(0.1, 0.2, 29), -100.0]
    row = compare(records(full=np.zeros(30), other=differences))
    assert row["difference"] < 0 < row["rank_biserial"]
    assert row["p_holm"] < 0.05
    assert row["verdict"] == "cannot be told from full"


def test_too_few_pairs_are_not_tested_and_say_so() -> None:
    row = compare(records(full=np.zeros(7), other=np.array([1.0, 2, 3, 4, 5, 0, 0])))
    assert math.isnan(row["p"])
    assert math.isnan(row["p_holm"])
    assert row["verdict"] == "not tested: 5 pairs differ, fewer than 6"


def test_no_common_pair_says_so() -> None:
    row = compare(records(full=np.full(8, math.inf), other=np.arange(8.0)))
    assert (row["n"], row["left_out"]) == (0, 8)
    assert row["verdict"] == "not tested: no pair has both values"


def test_one_pair_has_a_difference_and_no_interval() -> None:
    row = compare(records(full=np.array([1.0]), other=np.array([3.0])))
    assert row["difference"] == 2
    assert math.isnan(row["low"])


def test_method_that_did_not_run_in_a_bucket_is_left_out_there() -> None:
    (full, other), (full2, _) = sample(0.4), sample()
    row = compare(records(full=full, other=other), records(bucket=HIGH, full=full2), bucket=HIGH)
    assert (row["n"], row["left_out"]) == (0, 30)


def test_holm_equals_one_worked_by_hand() -> None:
    # Sorted: 0.01 x 4, 0.02 x 3, 0.03 x 2 (below the one before, raised to it), 0.6 x 1.
    adjusted = holm(pd.Series([0.03, 0.01, math.nan, 0.6, 0.02]))
    assert adjusted.tolist()[:2] == pytest.approx([0.06, 0.04])
    assert math.isnan(adjusted.iloc[2])
    assert adjusted.tolist()[3:] == pytest.approx([0.6, 0.06])


def test_holm_never_exceeds_one() -> None:
    assert holm(pd.Series([0.6, 0.7, 0.8])).tolist() == [1, 1, 1]


def test_holm_counts_methods_and_buckets_of_one_metric() -> None:
    rows = []
    for number, bucket in enumerate((LOW, HIGH)):
        full, a = sample(0.3, seed=number)
        _, b = sample(0.6, seed=10 + number)
        for metric in ("psnr", "ssim"):
            rows += records(metric, bucket, full=full, a=a, b=b)
    found = paired(pd.DataFrame(rows), "full")
    psnr = found[found["metric"] == "psnr"].sort_values("p")
    assert len(psnr) == 6  # two methods, two buckets and all together
    expected = np.minimum(np.maximum.accumulate(psnr["p"] * np.arange(6, 0, -1)), 1)
    assert psnr["p_holm"].to_numpy() == pytest.approx(expected.to_numpy())


def test_rank_biserial_equals_brute_force() -> None:
    differences = np.array([3.0, -1.0, 0.0, 2.0, 2.0, -2.0, 7.0])
    nonzero = [d for d in differences if d]
    favourable = unfavourable = 0.0
    for d in nonzero:
        below = sum(abs(e) < abs(d) for e in nonzero)
        equal = sum(abs(e) == abs(d) for e in nonzero)
        rank = below + (equal + 1) / 2
        favourable, unfavourable = favourable + rank * (d > 0), unfavourable + rank * (d < 0)
    expected = (favourable - unfavourable) / (favourable + unfavourable)
    assert rank_biserial(differences) == pytest.approx(expected)


def test_rank_biserial_at_its_ends() -> None:
    assert rank_biserial(np.array([1.0, 2.0, 9.0])) == 1
    assert rank_biserial(np.array([-1.0, -2.0])) == -1
    assert math.isnan(rank_biserial(np.zeros(4)))


def test_bootstrap_equals_scipy_with_the_same_resamples() -> None:
    differences = np.random.default_rng(3).gamma(1.0, 2.0, (50, 2))
    found = bootstrap_interval(differences, np.random.default_rng(5), 2000)
    for column, interval in zip(differences.T, found.T, strict=True):
        expected = stats.bootstrap(
            (column,), np.mean, n_resamples=2000, method="percentile",
            rng=np.random.default_rng(5),
        ).confidence_interval  # fmt: skip
        assert interval == pytest.approx(expected)


def test_bootstrap_in_chunks_is_that_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(3).normal(size=(20, 3))
    whole = bootstrap_interval(differences, np.random.default_rng(5), 1000)
    monkeypatch.setattr("reports.analysis.differences.CHUNK", 20 * 7)
    parts = bootstrap_interval(differences, np.random.default_rng(5), 1000)
    assert parts == pytest.approx(whole)


@pytest.mark.parametrize("pairs", [12, 48])
def test_bootstrap_covers_the_mean_of_normal_data_as_the_note_says(pairs: int) -> None:
    columns = np.random.default_rng(7).normal(0.3, 2, (pairs, 4000))
    low, high = bootstrap_interval(columns, np.random.default_rng(8), 1000)
    # Its half-width is about 1.96 standard errors with n, not n - 1, under the variance.
    quantile = stats.norm.ppf(0.975) * np.sqrt((pairs - 1) / pairs)
    coverage = 1 - 2 * stats.t.sf(quantile, pairs - 1)
    assert np.mean((low <= 0.3) & (high >= 0.3)) == pytest.approx(coverage, abs=0.015)
    assert f"{100 * coverage:.0f} % at {pairs}" in comparison_note("full")


def test_interval_does_not_depend_on_the_other_methods_or_their_gaps() -> None:
    full, other = sample(0.4)
    third = np.r_[math.nan, sample(2.0)[1][1:]]
    alone = compare(records(full=full, other=other))
    beside = compare(records(full=full, other=other, third=third), method="other")
    assert (alone["low"], alone["high"]) == pytest.approx((beside["low"], beside["high"]))
    gap = compare(records(full=full, other=other, third=third), method="third")
    assert gap["low"] < (third - full)[1:].mean() < gap["high"]


@pytest.mark.parametrize("names", [["full"], ["a", "b"]])
def test_nothing_to_compare_is_empty(names: list[str]) -> None:
    rows = [row for name in names for row in records(**{name: np.arange(8.0)})]
    found = paired(pd.DataFrame(rows), "full")
    assert found.empty
    assert list(found) == COLUMNS


def test_reference_can_be_chosen() -> None:
    full, other = sample(1.0)
    found = paired(pd.DataFrame(records(full=full, other=other)), reference="other")
    assert found["method"].unique().tolist() == ["full"]
    assert found["verdict"].unique().tolist() == ["worse"]
    assert "method minus other" in comparison_note("other")


def test_every_method_metric_region_and_bucket_has_a_row() -> None:
    full, a = sample(0.4)
    rows = [*records(full=full, a=a, b=a + 1), *records("ssim", full=full, a=a)]
    found = paired(pd.DataFrame(rows), "full").set_index(["method", "metric", "bucket"])["n"]
    assert found.to_dict() == {
        (method, metric, bucket): 0 if (method, metric) == ("b", "ssim") else 30
        for method in "ab"
        for metric in ("psnr", "ssim")
        for bucket in (LOW, ALL)
    }


def test_same_records_give_the_same_numbers() -> None:
    full, other = sample(0.4)
    frame = pd.DataFrame(records(full=full, other=other))
    pd.testing.assert_frame_equal(paired(frame, "full"), paired(frame, "full"))
