"""The picture browser: finding a pair, comparing two pictures, many pairs."""

import re
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from reports.page import build as page_build
from reports.page import write
from tests.reports.page.conftest import (
    METHODS,
    METRICS,
    SEEDS,
    choose,
    click,
    find,
    grey,
    press,
    records,
    save_pictures,
    shown_pair,
    texts,
    visit,
)


def test_arrow_keys_and_buttons_change_the_pair(opened: webdriver.Chrome) -> None:
    assert find(opened, "#previous").get_attribute("disabled")
    press(opened, Keys.ARROW_RIGHT)
    press(opened, Keys.ARROW_RIGHT)
    assert shown_pair(opened) == 4
    press(opened, Keys.ARROW_LEFT)
    assert shown_pair(opened) == 2
    click(opened, "#next")
    assert shown_pair(opened) == 4
    press(opened, Keys.ARROW_RIGHT)  # a button has no use for the arrows
    assert shown_pair(opened) == 6
    find(opened, "#search").send_keys(Keys.ARROW_RIGHT)  # a field has
    assert shown_pair(opened) == 6
    ActionChains(opened).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(
        Keys.SHIFT
    ).perform()
    assert shown_pair(opened) == 6


def test_search_and_order_by_psnr(opened: webdriver.Chrome) -> None:
    find(opened, "#search").send_keys("2")
    assert texts(opened, "#pairs .number") == ["2", "20", "22", "24", "26", "28"]
    find(opened, "#search").send_keys("x")
    assert "No pair" in find(opened, "#no-pair").text
    assert not find(opened, "#viewer").is_displayed()
    find(opened, "#search").send_keys(Keys.BACKSPACE, Keys.BACKSPACE, "IMAGE 2")
    assert texts(opened, "#pairs .number")[:2] == ["2", "20"]
    opened.execute_script("arguments[0].value = ''", find(opened, "#search"))
    choose(opened, "order", "PSNR of mean-colour")
    choose(opened, "direction", "highest first")
    frame = records(METHODS, 30, SEEDS)
    rows = frame[(frame["method"] == "mean-colour") & (frame["pair"] % 2 == 0)]
    rows = rows[(rows["metric"] == "psnr") & (rows["region"] == "composite")]
    order = rows.sort_values("value", ascending=False)["pair"].astype(str).to_list()
    assert texts(opened, "#pairs .number") == order[:12]
    click(opened, "#later")
    assert texts(opened, "#pairs .number") == order[12:]
    click(opened, "#pairs li:last-child button")
    assert shown_pair(opened) == int(order[-1])
    assert opened.execute_script("return document.activeElement.dataset.pair") == order[-1]


def test_metrics_of_the_pair_stand_beside(opened: webdriver.Chrome) -> None:
    frame = records(METHODS, 30, SEEDS)
    press(opened, Keys.ARROW_RIGHT)
    rows = frame[(frame["pair"] == 2) & (frame["metric"] != "lpips_alex")]
    wanted = rows.groupby(["method", "metric", "region"])["value"].mean()
    got = texts(opened, "#pair-metrics tbody tr:first-child td")
    exact = [wanted["full", metric, region] for metric, region, *_ in METRICS]
    assert got == [f"{exact[0]:.2f}", f"{exact[1]:.2f}", f"{exact[2]:.3f}"]
    assert len(texts(opened, "#pair-metrics thead th")) == 4  # none for what was not measured


def clip(browser: webdriver.Chrome) -> float:
    """Percent of the left picture that is cut off at its right."""
    found = find(browser, "#left-picture").value_of_css_property("clip-path")
    numbers = re.findall(r"[\d.]+", found.replace("100% - ", "100 "))
    return 100 - float(numbers[-2]) if "calc" in found else float(numbers[1])


def test_slider_moves_by_key_and_by_drag(opened: webdriver.Chrome) -> None:
    slider, stage = find(opened, "#cut"), find(opened, "#stage")
    assert clip(opened) == pytest.approx(50)
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert clip(opened) == pytest.approx(48)
    assert shown_pair(opened) == 0  # the slider's arrows are its own
    slider.send_keys(Keys.HOME)
    assert clip(opened) == pytest.approx(100)
    assert slider.get_attribute("aria-valuetext") == "0 % full, then truth"
    width = stage.size["width"]
    actions = ActionChains(opened).move_to_element(stage).click_and_hold()
    actions.move_by_offset(width // 4, 0).perform()
    assert clip(opened) == pytest.approx(25, abs=1)
    ActionChains(opened).release().move_by_offset(-width // 2, 0).perform()
    assert clip(opened) == pytest.approx(25, abs=1)  # let go


def test_any_two_pictures_are_compared(opened: webdriver.Chrome) -> None:
    sources = "return [...document.querySelectorAll(arguments[0])].map((i) => i.src)"
    gallery = opened.execute_script(sources, "#gallery img")
    assert len(set(gallery)) == 5
    stage = opened.execute_script(sources, "#stage img")
    assert stage == [gallery[4], gallery[1]]
    choose(opened, "left", "input")
    choose(opened, "right", "mean-colour")
    assert opened.execute_script(sources, "#stage img") == [gallery[2], gallery[0]]
    click(opened, "#next")
    after = opened.execute_script(sources, "#gallery img")
    assert opened.execute_script(sources, "#stage img") == [after[2], after[0]]
    assert after[0] != gallery[0]


def test_thousand_pairs_render_few_nodes(
    browser: webdriver.Chrome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods = [f"method {number}" for number in range(8)]
    pictures = save_pictures(tmp_path, methods, range(1))
    [picture] = page_build.embedded({0: 0}, pictures).values()
    monkeypatch.setattr(page_build, "common_pairs", lambda folders, pairs: list(pairs))
    monkeypatch.setattr(
        page_build, "embedded", lambda pairs, folders: dict.fromkeys(pairs, picture)
    )
    write(tmp_path / "p.html", "t", records(methods, 1000), [], pictures, [], grey)
    visit(browser, tmp_path / "p.html")

    def count(css: str) -> int:
        return len(texts(browser, css))

    assert "of 1000" in find(browser, "#page").text
    choose(browser, "order", "PSNR of method 3")
    for _ in range(3):
        click(browser, "#next")
    assert (count("#gallery img"), count("img"), count("#pairs li")) == (10, 12, 12)
    assert count("body *:not(script)") < 600
    find(browser, "#search").send_keys("999")
    assert texts(browser, "#pairs .number") == ["999"]
    assert shown_pair(browser) == 999
