"""One browser for all tests of the page, a page to read in it, and what a reader does there."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from bench.core.run_folder import PairPictures
from reports.page import Section, write

BUCKETS = ["(0.1, 0.2]", "(0.2, 0.3]", "(0.3, 0.4]"]
METRICS = [("psnr", "composite", 25.0, 3.0), ("psnr", "hole", 15.0, 3.0), ("ssim", "raw", 0.8, 0.1)]
HOSTILE = "</script><img src=x onerror='window.hacked=1'>\"&ß"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--hide-scrollbars", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
TABLE = Section(
    "Costs & <such>",
    "<table><caption>Costs</caption><thead><tr><th>method</th><th>time</th><th>note</th></tr></thead>"
    "<tbody><tr><td>3x3</td><td>10 ms</td><td>b</td></tr><tr><td>full</td><td>9.5 ms</td><td>a</td>"
    "</tr><tr><td>none</td><td>not run</td><td>b</td></tr><tr><td>10x10</td>"
    '<td data-sort="1200">1.2 s</td><td>a</td></tr></tbody></table>',
)


def records(methods: list[str], pairs: int, seeds: dict[str, list[int]] | None = None) -> Any:
    """Drawn at random; one perfect PSNR per method, and an SSIM that was not measured."""
    draw = np.random.default_rng(0)
    rows = [
        (method, seed, pair, f"image {pair}", 0.1 + (pair + 0.5) / pairs * 0.3,
         BUCKETS[pair * 3 // pairs], metric, region, draw.normal(centre, spread), "")
        for method in methods
        for seed in (seeds or {}).get(method, [0])
        for metric, region, centre, spread in METRICS
        for pair in range(pairs)
    ]  # fmt: skip
    names = ["method", "seed", "pair", "image", "ratio", "bucket", "metric", "region", "value"]
    frame = pd.DataFrame(rows, columns=[*names, "note"]).assign(manifest="m")
    frame.loc[(frame["pair"] == 1) & (frame["metric"] == "psnr"), "value"] = np.inf
    unmeasured = frame[frame["metric"] == "ssim"].assign(
        metric="lpips_alex", value=np.nan, note="no <weights>"
    )
    return pd.concat([frame, unmeasured], ignore_index=True)


def save_pictures(
    root: Path, methods: list[str], pairs: range, size: int = 8
) -> dict[str, PairPictures]:
    folders = {
        m: PairPictures(root / str(number), root / "pairs") for number, m in enumerate(methods)
    }
    (root / "pairs").mkdir()
    for number, folder in enumerate(folders.values()):
        folder.own.mkdir()
        for pair in pairs:
            for part, colour in {"input": 255, "output": 20 * number, "truth": 128}.items():
                picture = Image.new("RGB", (size, size), (colour, pair % 256, 0))
                picture.save(folder.file(pair, part), lossless=True)
    return folders


def grey(method: str) -> str:
    return "#000000" if method == "full" else "#0072B2"


METHODS = ["full", "mean-colour", HOSTILE]
SEEDS = {"full": [0, 1]}


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs Chromium and chromedriver on the PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page")
    figure = root / "figure.svg"
    figure.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="900" height="300"></svg>')
    write(
        root / "page.html", f"A title {HOSTILE}", records(METHODS, 30, SEEDS),
        [TABLE, Section("Figure", "", figure)], save_pictures(root, METHODS, range(0, 30, 2)),
        [f"A note {HOSTILE}"], grey,
    )  # fmt: skip
    return root / "page.html"


@pytest.fixture
def opened(browser: webdriver.Chrome, page: Path) -> webdriver.Chrome:
    return visit(browser, page)


def visit(browser: webdriver.Chrome, page: Path, width: int = 1280, scheme: str = "light") -> Any:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    for log in ("browser", "performance"):
        browser.get_log(log)  # what earlier pages left
    browser.get(page.as_uri())
    return browser


def find(browser: webdriver.Chrome, css: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, css)


def texts(browser: webdriver.Chrome, css: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
    return list(browser.execute_script(script, css))


def click(browser: webdriver.Chrome, css: str) -> None:
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", find(browser, css))
    find(browser, css).click()


def choose(browser: webdriver.Chrome, select: str, text: str) -> None:
    Select(find(browser, f"#{select}")).select_by_visible_text(text)


def tick(browser: webdriver.Chrome, kind: str, name: str) -> None:
    click(browser, f"input[data-kind={kind}][data-name={json.dumps(name)}]")


def cells(browser: webdriver.Chrome) -> dict[tuple[str, str], str]:
    """The summary table as text, by method and bucket."""
    header = [h.split(" n=")[0].rstrip("↕↑↓ ") for h in texts(browser, "#summary thead th")]
    width = len(header)
    body = texts(browser, "#summary tbody tr > *")
    rows = [body[i : i + width] for i in range(0, len(body), width)]
    return {(row[0], b): text for row in rows for b, text in zip(header[1:], row[1:], strict=True)}


def shown_pair(browser: webdriver.Chrome) -> int:
    found = re.match(r"Pair (\d+)", texts(browser, "#pair-title")[0])
    assert found
    return int(found[1])


def press(browser: webdriver.Chrome, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()
