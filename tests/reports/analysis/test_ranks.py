"""Average ranks against loops and tables, and agreement with the paper's order."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.analysis.ranks import agreement, average_ranks
from reports.plots.ranks import cliques
from tests.reports.analysis.test_differences import HIGH, LOW, records


def frame(metric: str = "psnr", methods: int = 4, images: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows: list = []
    for bucket in (LOW, HIGH):
        values = {f"m{k}": rng.normal(20 + 0.3 * k, 1, images) for k in range(methods)}
        rows += records(metric, bucket, **values)
    return pd.DataFrame(rows)


def test_ranks_equal_loops_and_friedman_equals_scipy() -> None:
    records = frame()
    (found,) = average_ranks(records)
    means = records.groupby(["image", "method"])["value"].mean().unstack()
    for method in means:
        ranks = [
            1 + sum(means.loc[image, other] > means.loc[image, method] for other in means)
            for image in means.index
        ]
        assert found.ranks[method] == pytest.approx(np.mean(ranks))
    test = stats.friedmanchisquare(*means.to_numpy().T)
    assert (found.images, found.p) == (12, pytest.approx(test.pvalue))


def test_critical_difference_is_that_of_the_published_table() -> None:
    (found,) = average_ranks(frame())
    # Demšar 2006, table 5a: q 2.569 for four methods at 5 %.
    assert found.difference == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 12)), rel=1e-3)


def test_lower_is_better_where_the_metric_says_so() -> None:
    (higher,), (lower,) = (list(average_ranks(frame(metric))) for metric in ("psnr", "l1_percent"))
    assert lower.ranks.to_dict() == pytest.approx((5 - higher.ranks).to_dict())


def test_floors_and_too_few_methods_have_no_ranks() -> None:
    (found,) = average_ranks(frame(), floors={"m0"})
    assert "m0" not in found.ranks
    assert list(average_ranks(frame(methods=2))) == []
    assert list(average_ranks(frame(images=1))) == []
    unmeasured = frame("lpips_alex").assign(value=math.nan, note="no weights")
    assert [found.metric for found in average_ranks(pd.concat([frame(), unmeasured]))] == ["psnr"]


def test_bars_join_what_lies_within_the_difference() -> None:
    ranks = pd.Series([1.0, 1.5, 2.4, 4.0, 4.2])
    assert cliques(ranks, 1.0) == [(0, 1), (1, 2), (3, 4)]
    assert cliques(ranks, 0.1) == []
    assert cliques(ranks, 9.0) == [(0, 4)]


def test_agreement_equals_scipy_and_all_permutations() -> None:
    measured, paper = [1.0, 2.0, 4.0, 3.0, 5.0], [10.0, 20.0, 30.0, 40.0, 50.0]
    summary = pd.DataFrame(
        {"method": list("abcde"), "metric": "psnr", "region": "composite", "bucket": LOW,
         "mean": measured, "n": 3}
    )  # fmt: skip
    reported = pd.DataFrame(
        {"method": list("abcdef"), "metric": "psnr", "bucket": LOW, "reported": [*paper, 1.0]}
    )
    row = agreement(summary, reported).iloc[0]
    rho = stats.spearmanr(measured, paper).statistic
    assert (row["methods"], row["rho"]) == (5, pytest.approx(rho))
    as_good = [
        stats.spearmanr(order, paper).statistic >= rho - 1e-12
        for order in itertools.permutations(measured)
    ]
    assert row["p"] == pytest.approx(np.mean(as_good))
    assert agreement(summary[:4], reported).empty
