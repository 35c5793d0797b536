"""Tables, chart and summary in a browser, against summarise()."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from reports.analysis.summary import summarise
from reports.analysis.units import ALL
from reports.page import write
from tests.reports.page.conftest import (
    BUCKETS,
    METHODS,
    SEEDS,
    cells,
    choose,
    click,
    find,
    grey,
    press,
    records,
    shown_pair,
    texts,
    tick,
    visit,
)


def first_column(browser: webdriver.Chrome) -> list[str]:
    return texts(browser, "#section-0 tbody td:first-child")


def test_headers_sort_by_click(opened: webdriver.Chrome) -> None:
    click(opened, "#section-0 th:nth-child(2) button")
    assert first_column(opened) == ["full", "3x3", "10x10", "none"]
    header = find(opened, "#section-0 th:nth-child(2)")
    assert header.get_attribute("aria-sort") == "ascending"
    click(opened, "#section-0 th:nth-child(2) button")
    assert first_column(opened) == ["10x10", "3x3", "full", "none"]  # without a number: last
    assert header.get_attribute("aria-sort") == "descending"
    click(opened, "#section-0 th:nth-child(3) button")
    assert first_column(opened) == ["10x10", "full", "3x3", "none"]  # stable: equal notes keep it
    assert header.get_attribute("aria-sort") is None
    click(opened, "#section-0 th:nth-child(1) button")
    assert first_column(opened) == ["3x3", "10x10", "full", "none"]  # text, its digits as numbers


@pytest.mark.parametrize("key", [Keys.ENTER, Keys.SPACE])
def test_headers_sort_by_key(opened: webdriver.Chrome, key: str) -> None:
    button = find(opened, "#section-0 th:nth-child(2) button")
    opened.execute_script("arguments[0].focus()", button)
    press(opened, key)
    assert first_column(opened) == ["full", "3x3", "10x10", "none"]


def assert_equals_summary(browser: webdriver.Chrome, frame: pd.DataFrame, metric: str) -> None:
    digits = {"psnr": 2, "ssim": 3}[metric]
    region = Select(find(browser, "#region")).first_selected_option.text
    wanted = summarise(frame[(frame["metric"] == metric) & (frame["region"] == region)])
    wanted = wanted[wanted["bucket"] != ALL]
    shown = cells(browser)
    assert len(wanted) == len(METHODS) * len(BUCKETS)
    for row in wanted.itertuples():
        text = shown[row.method, row.bucket]
        perfect = f" (+{row.perfect} perfect)" if row.perfect else ""
        assert text == f"{row.mean:.{digits}f} ± {row.half:.{digits}f}{perfect}"
    points = browser.execute_script(
        "return [...document.querySelectorAll('#chart .point')]"
        ".map((p) => [Number(p.dataset.mean), Number(p.dataset.half)])"
    )
    exact = wanted[["mean", "half"]].to_numpy()
    np.testing.assert_allclose(points, exact, rtol=2e-5)


def test_numbers_are_those_of_summarise(opened: webdriver.Chrome) -> None:
    frame = records(METHODS, 30, SEEDS)
    assert_equals_summary(opened, frame, "psnr")
    choose(opened, "region", "hole")
    assert_equals_summary(opened, frame, "psnr")
    choose(opened, "metric", "SSIM (higher is better)")
    assert_equals_summary(opened, frame, "ssim")


def test_a_seed_can_be_looked_at_alone(opened: webdriver.Chrome) -> None:
    frame = records(METHODS, 30, SEEDS)
    choose(opened, "seeds", "seed 1")
    chosen = frame[(frame["seed"] == 1) & (frame["metric"] == "psnr")]
    row = summarise(chosen[chosen["region"] == "composite"]).set_index("bucket").loc[BUCKETS[1]]
    shown = cells(opened)
    assert shown["full", BUCKETS[1]] == f"{row['mean']:.2f} ± {row['half']:.2f}"
    assert shown["full", "seeds"] == "1"
    assert shown["mean-colour", BUCKETS[1]] == "not run"  # it has seed 0 alone
    value = chosen[(chosen["pair"] == 0) & (chosen["region"] == "composite")]["value"].item()
    assert texts(opened, "#gallery figcaption")[1] == f"full {value:.2f} dB"


def test_perfect_and_unmeasured_say_so(opened: webdriver.Chrome) -> None:
    assert "(+1 perfect)" in cells(opened)["full", BUCKETS[0]]
    choose(opened, "metric", "LPIPS, AlexNet (lower is better)")
    assert texts(opened, "#unmeasured") == ["Not measured: no <weights>"]
    assert not find(opened, "#summary").is_displayed()
    choose(opened, "metric", "PSNR, dB (higher is better)")
    assert texts(opened, "#unmeasured") == [""]
    assert find(opened, "#summary").is_displayed()


def test_all_perfect_has_a_table_and_no_chart(browser: webdriver.Chrome, tmp_path: Path) -> None:
    frame = records(["full"], 3).assign(value=np.inf)
    write(tmp_path / "p.html", "t", frame, [], {}, [], grey)
    visit(browser, tmp_path / "p.html")
    assert set(texts(browser, "#summary td")) == {"all perfect", "0"}
    assert texts(browser, "#chart svg") == []
    assert browser.get_log("browser") == []


def test_single_pairs_have_no_interval(browser: webdriver.Chrome, tmp_path: Path) -> None:
    frame = records(["full"], 3)
    write(tmp_path / "p.html", "t", frame, [], {}, [], grey)
    visit(browser, tmp_path / "p.html")
    value = frame["value"].iloc[0]
    assert cells(browser)["full", BUCKETS[0]] == f"{value:.2f}"
    assert texts(browser, "#chart .interval") == []


def test_methods_filter_rules_chart_summary_and_pictures(opened: webdriver.Chrome) -> None:
    tick(opened, "methods", "full")
    rest = METHODS[1:]
    assert texts(opened, "#summary tbody th") == rest
    assert texts(opened, "#legend li") == rest
    drawn = "return [...document.querySelectorAll('#chart .series')].map((g) => g.dataset.method)"
    assert opened.execute_script(drawn) == rest
    assert texts(opened, "#gallery strong") == ["input", *rest, "truth"]
    assert texts(opened, "#pair-metrics tbody th") == rest
    assert "full" not in texts(opened, "#left option")
    click(opened, "#filters fieldset:first-of-type button:last-of-type")  # none
    assert texts(opened, "#unmeasured") == ["Choose at least one method and one hole ratio."]
    assert texts(opened, "#gallery strong") == ["input", "truth"]
    click(opened, "#filters fieldset:first-of-type button:first-of-type")  # all
    assert texts(opened, "#summary tbody th") == METHODS


def test_buckets_filter_rules_chart_summary_and_pictures(opened: webdriver.Chrome) -> None:
    tick(opened, "buckets", BUCKETS[0])
    assert {bucket for _, bucket in cells(opened)} == {*BUCKETS[1:], "seeds"}
    assert len(texts(opened, "#chart .point")) == 2 * len(METHODS)
    assert BUCKETS[0] not in texts(opened, "#chart text")
    assert texts(opened, "#pairs .number") == [str(pair) for pair in range(10, 30, 2)]
    assert shown_pair(opened) == 10


def test_order_that_the_reader_gave_stays(opened: webdriver.Chrome) -> None:
    click(opened, "#summary th:nth-child(2) button")
    click(opened, "#summary th:nth-child(2) button")
    frame = records(METHODS, 30, SEEDS)
    summary = summarise(frame[(frame["region"] == "composite") & (frame["bucket"] == BUCKETS[0])])
    summary = summary[summary["bucket"] != ALL]
    best_first = list(summary.sort_values("mean", ascending=False)["method"])
    assert texts(opened, "#summary tbody th") == best_first
    tick(opened, "buckets", BUCKETS[2])
    assert texts(opened, "#summary tbody th") == best_first
    assert find(opened, "#summary th:nth-child(2)").get_attribute("aria-sort") == "descending"
