"""Voting in a real browser."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from reports.study.count import count
from tests.reports.study.conftest import counted, read


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium with its chromedriver on the PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync",
        f"user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.add_experimental_option(
        "prefs", {"download.default_directory": str(tmp_path / "ballots")}
    )
    session = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield session
    session.quit()


def press(browser: Any, *keys: str) -> None:
    for one in keys:
        browser.switch_to.active_element.send_keys(one)


def downloaded(folder: Path) -> Path:
    """The ballot, once it is there whole."""
    for _ in range(100):
        if found := list(folder.glob("*.json")):
            return found[0]
        time.sleep(0.05)
    raise AssertionError("nothing was downloaded within five seconds")


def test_voting_by_keyboard_in_a_browser(browser: Any, study: Path, key: Path) -> None:
    enter, back = "\ue007", "\ue003"
    options = [question["options"] for question in read(key)["questions"]]
    letters = ["abc"[o.index("pconv")] for o in options]
    browser.get((study / "study.html").as_uri())
    press(browser, "Bob", enter)
    assert browser.find_element("id", "title").text == "Question 1 of 8"
    press(browser, enter)  # nothing chosen yet: nothing happens
    assert browser.find_element("id", "title").text == "Question 1 of 8"
    for letter in letters[:3]:
        press(browser, letter, enter)
    browser.refresh()
    assert "You have answered 3 of 8." in browser.find_element("id", "saved").text
    press(browser, enter)
    assert browser.find_element("id", "title").text == "Question 4 of 8"
    press(browser, back, "abc"[options[2].index("full")], enter)  # another mind on question 3
    for letter in letters[3:]:
        press(browser, letter, enter)
    assert browser.find_element("id", "answered").text.startswith("Thank you")
    press(browser, enter)
    file = downloaded(key.parent / "ballots")
    content = read(file)
    assert content["voter"] == "Bob" and UUID(content["ballot"]).version == 4
    assert (
        json.loads(browser.find_element("id", "text").get_attribute("value"))["answers"]
        == (content["answers"])
    )
    text = count([file], key)
    assert counted(key) == {"full": 1, "pconv": 7, "3x3": 0}
    assert "Left out" not in text and "Partial" not in text
    assert browser.get_log("browser") == []


def test_answers_outlast_a_reload_that_finds_no_storage(browser: Any, study: Path) -> None:
    """Now and then Chromium shows an empty storage to a page reloaded right after a save."""
    browser.get((study / "study.html").as_uri())
    press(browser, "Bob", "\ue007", "a", "\ue007")
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    assert "You have answered 1 of 8." in browser.find_element("id", "saved").text
    press(browser, "\ue007", "b")
    stored = "return JSON.parse(Object.values(localStorage)[0])"
    assert browser.execute_script(stored)["answers"] == {"0": 0, "1": 1}
    browser.execute_script("history.replaceState(null, '')")  # as if the page had been closed
    for _ in range(100):
        browser.refresh()
        if "You have answered 2 of 8." in browser.find_element("id", "saved").text:
            return
    raise AssertionError("the storage keeps nothing")


def test_a_phone_needs_no_sideways_scrolling_and_taps_vote(browser: Any, study: Path) -> None:
    size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((study / "study.html").as_uri())
    browser.find_element("id", "go").click()
    widths = (
        "return [...document.images].map((i) => [i.naturalWidth, i.getBoundingClientRect().width])"
    )
    shown = browser.execute_script(widths)
    assert len(shown) == 4 and {natural for natural, _ in shown} == {16}
    assert max(w for _, w in shown) - min(w for _, w in shown) < 1  # nobody's picture is larger
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    assert not browser.find_element("id", "next").is_enabled()
    browser.find_elements("css selector", "label.option img")[1].click()
    browser.find_element("id", "next").click()
    assert browser.find_element("id", "title").text == "Question 2 of 8"
    browser.find_element("id", "stop").click()
    assert browser.find_element("id", "answered").text == "1 of 8 questions are answered."
