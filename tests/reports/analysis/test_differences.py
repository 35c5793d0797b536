"""Comparisons with a reference: what is compared, and what the verdicts say."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.analysis.differences import (
    COLUMNS,
    EXPLORATORY,
    FLOOR,
    PRIMARY,
    comparison_note,
    holm,
    paired,
)
from reports.analysis.units import ALL

LOW, HIGH = "(0.1, 0.2]", "(0.4, 0.5]"
Values = np.ndarray


def records(metric: str = "psnr", bucket: str = LOW, seed: int = 0, **methods: Values) -> list:
    """Records of methods' values, one pair an image; both buckets have the same images."""
    first = 1000 if bucket == HIGH else 0
    return [
        {
            "manifest": "m", "method": method.replace("_", "-"), "seed": seed, "pair": first + pair,
            "image": f"image {pair}", "metric": metric, "region": "composite", "bucket": bucket,
            "value": value, "note": "",
        }
        for method, values in methods.items()
        for pair, value in enumerate(values)
    ]  # fmt: skip


def sample(shift: float = 0.0, n: int = 30, seed: int = 0) -> tuple[Values, Values]:
    """Values of the reference and of a method, whose differences have the mean `shift`."""
    rng = np.random.default_rng(seed)
    reference = rng.normal(25, 3, n)
    return reference, reference + rng.normal(shift, 1, n)


def compare(
    *parts: list, bucket: str = ALL, options: dict | None = None, **chosen: str
) -> pd.Series:
    frame = pd.DataFrame([row for part in parts for row in part])
    rows = paired(frame, "full", **(options or {}))
    rows = rows[rows["bucket"] == bucket]
    for column, value in chosen.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_one_seed_is_the_paired_t_test_over_images() -> None:
    full, other = sample(0.4)
    row = compare(records(full=full, other=other))
    test = stats.ttest_rel(other, full)
    assert row["difference"] == pytest.approx((other - full).mean())
    assert row["p"] == pytest.approx(test.pvalue)
    interval = test.confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
    assert (row["n"], row["images"], row["seeds"], row["left_out"]) == (30, 30, 1, 0)


def test_pairs_are_matched_by_number_and_not_by_place() -> None:
    full, other = sample(0.4)
    rows = records(full=full, other=other)
    assert compare(rows[::-1]).to_dict() == pytest.approx(compare(rows).to_dict())


def test_buckets_share_their_images() -> None:
    """Twice the pairs of the same images are no more images."""
    (full, other), (full2, other2) = sample(0.4), sample(0.1, seed=1)
    rows = [*records(full=full, other=other), *records(bucket=HIGH, full=full2, other=other2)]
    row = compare(rows)
    per_image = ((other - full) + (other2 - full2)) / 2
    assert (row["n"], row["images"]) == (60, 30)
    assert row["p"] == pytest.approx(stats.ttest_1samp(per_image, 0).pvalue)
    found = paired(pd.DataFrame(rows), "full")
    assert found["bucket"].tolist() == [LOW, HIGH, ALL]
    assert found["family"].tolist() == [EXPLORATORY, EXPLORATORY, PRIMARY]


def test_infinite_and_missing_pairs_are_left_out_and_counted() -> None:
    full, other = sample(0.4)
    full[0], other[0], other[1], full[2], other[3] = math.inf, math.inf, math.inf, math.nan, 99.0
    other[4] = math.nan
    row = compare(records(full=full, other=other))
    kept = np.isfinite(full) & np.isfinite(other)
    assert (row["n"], row["left_out"]) == (26, 4)
    assert row["p"] == pytest.approx(stats.ttest_rel(other[kept], full[kept]).pvalue)


def test_identical_methods_with_other_trainings_are_not_told_apart() -> None:
    """A spread of 0.2 dB between seeds made a third of such pairs differ."""
    rejected, trials = 0, 60
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        image = rng.normal(25, 3, 20)
        rows = [
            row
            for seed in range(3)
            for row in records(
                seed=seed,
                full=image + rng.normal(0, 0.2) + rng.normal(0, 0.1, 20),
                other=image + rng.normal(0, 0.2) + rng.normal(0, 0.1, 20),
            )
        ]
        rejected += compare(rows)["p"] < 0.05
    assert rejected / trials < 0.12  # 5 % and two and a half standard deviations


def test_methods_are_compared_under_the_seeds_that_both_have() -> None:
    full, one = sample(0.4)
    rows = [
        *records(full=full, other=one),
        *records(seed=1, full=full + 5),
        *records(seed=2, other=one + 9),
    ]
    row = compare(rows)
    assert (row["seeds"], row["difference"]) == (1, pytest.approx((one - full).mean()))
    apart = compare(records(full=full), records(seed=1, other=one))
    assert apart["verdict"] == "not compared: no pair has both values under a common seed"


def test_an_algorithm_stands_under_every_seed_of_the_other() -> None:
    full, telea = sample(-2.0)
    rows = [*records(full=full, telea=telea), *records(seed=1, full=full + 1)]
    row = compare(rows, options={"algorithms": {"telea"}})
    assert (row["seeds"], row["difference"]) == (2, pytest.approx((telea - full).mean() - 0.5))


@pytest.mark.parametrize(
    ("metric", "shift", "verdict"),
    [
        ("psnr", 1.0, "better"),
        ("psnr", -1.0, "worse"),
        ("ssim", 1.0, "better"),
        ("l1_percent", 1.0, "worse"),
        ("lpips_alex", -1.0, "better"),
    ],
)
def test_verdict_respects_the_direction_of_the_metric(
    metric: str, shift: float, verdict: str
) -> None:
    full, other = sample(shift)
    assert compare(records(metric, full=full, other=other))["verdict"] == verdict


def test_equal_is_said_within_the_margin_alone() -> None:
    full, _ = sample()
    near = full + np.random.default_rng(5).normal(0.02, 0.05, 30)
    row = compare(records(full=full, other=near))
    assert row["p_equal"] < 0.001 and row["verdict"] == "equal within 0.1 dB"
    narrow = compare(records(full=full, other=near), options={"margins": {"psnr": 0.01}})
    assert narrow["verdict"] != "equal within 0.01 dB"
    # A difference that is certain and smaller than anyone cares about.
    certain = full + np.random.default_rng(5).normal(0.05, 0.01, 30)
    row = compare(records(full=full, other=certain))
    assert row["p_holm"] < 0.001 and row["verdict"] == "equal within 0.1 dB"


def test_undecided_names_the_study_that_would_decide() -> None:
    full, other = sample(0.0)
    row = compare(records(full=full, other=other))
    images = int(row["verdict"].split()[-2].replace(",", ""))
    assert row["verdict"] == f"undecided (needs about {images:,} images)"
    deviation = (other - full).std(ddof=1)
    assert images == pytest.approx((2.8 * deviation / 0.1) ** 2, rel=0.02)  # z 1.96 + 0.84
    rows = [row for seed in range(3) for row in records(seed=seed, **dict(zip(
        ("full", "other"), sample(0.0, seed=seed), strict=True)))]  # fmt: skip
    assert re.search(r"needs about \d+ seeds x [\d,]+ images", compare(rows)["verdict"])


def test_a_floor_is_no_hypothesis() -> None:
    full, other = sample(0.3)
    options = {"floors": {"mean-colour"}}
    alone = compare(records(full=full, other=other))
    with_floor = records(full=full, other=other, mean_colour=full - 5)
    row = compare(with_floor, method="other", options=options)
    assert row["p_holm"] == alone["p_holm"]
    floor = compare(with_floor, method="mean-colour", options=options)
    assert (floor["family"], floor["verdict"]) == (FLOOR, "floor, not tested")
    assert math.isnan(floor["p"]) and floor["difference"] == pytest.approx(-5)


def test_a_primary_verdict_does_not_depend_on_the_buckets() -> None:
    """One comparison a method and metric; the buckets are a family of their own."""
    rows = []
    for number, bucket in enumerate((LOW, HIGH)):
        full, a = sample(0.3, seed=number)
        _, b = sample(0.6, seed=10 + number)
        for metric in ("psnr", "ssim"):
            rows += records(metric, bucket, full=full, a=a, b=b)
    found = paired(pd.DataFrame(rows), "full")
    psnr = found[found["metric"] == "psnr"]
    for family, size in ((PRIMARY, 2), (EXPLORATORY, 4)):
        part = psnr[psnr["family"] == family].sort_values("p")
        assert len(part) == size
        expected = np.minimum(np.maximum.accumulate(part["p"] * np.arange(size, 0, -1)), 1)
        assert part["p_holm"].to_numpy() == pytest.approx(expected.to_numpy())


def test_one_image_is_not_tested_and_says_so() -> None:
    row = compare(records(full=np.array([1.0]), other=np.array([3.0])))
    assert row["difference"] == 2
    assert math.isnan(row["low"])
    assert row["verdict"] == "not tested: one image"


def test_no_common_pair_says_so() -> None:
    row = compare(records(full=np.full(8, math.inf), other=np.arange(8.0)))
    assert (row["n"], row["left_out"]) == (0, 8)
    assert row["verdict"].startswith("not compared: no pair has both values")


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
