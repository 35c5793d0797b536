"""Safety, width, contrast, labels and focus in a browser."""

import json
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from reports.page import Section, write
from tests.reports.page.conftest import (
    BUCKETS,
    HOSTILE,
    METHODS,
    find,
    grey,
    press,
    records,
    save_pictures,
    texts,
    tick,
    visit,
)


def test_nothing_is_fetched_and_nothing_complains(opened: webdriver.Chrome) -> None:
    assert opened.execute_script("return document.querySelectorAll('#gallery img').length") == 5
    assert opened.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    sent = [
        e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"
    ]
    assert any(url.startswith("file:") for url in sent)
    # The browser starts with a page of its own, of `chrome:` and `chrome-untrusted:`.
    assert [url for url in sent if not url.startswith(("file:", "data:", "chrome"))] == []
    assert sum(url.startswith("file:") for url in sent) == 1


def test_long_names_of_images_stay_in_their_column(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    frame = records(["full"], 3)
    frame["image"] = "a photograph with a long name and a number " + frame["pair"].astype(str)
    pictures = save_pictures(tmp_path, ["full"], range(3))
    write(tmp_path / "p.html", "t", frame, [], pictures, [], grey)
    visit(browser, tmp_path / "p.html")
    script = "return document.querySelector(arguments[0]).getBoundingClientRect()[arguments[1]]"
    end = max(browser.execute_script(script, css, "right") for css in ("#pairs", "#search"))
    assert end < browser.execute_script(script, "#viewer", "left")


def test_hostile_names_are_text(opened: webdriver.Chrome) -> None:
    tick(opened, "buckets", BUCKETS[0])
    assert opened.execute_script("return window.hacked") is None
    assert opened.execute_script("return document.querySelectorAll('img[onerror]').length") == 0
    assert texts(opened, "h1") == [f"A title {HOSTILE}"]
    assert texts(opened, ".notes li") == [f"A note {HOSTILE}"]
    assert texts(opened, "#section-0 h2") == ["Costs & <such>"]
    assert HOSTILE in texts(opened, "#summary tbody th")
    assert HOSTILE in texts(opened, "#legend li")


def test_script_in_a_section_does_not_run(browser: webdriver.Chrome, tmp_path: Path) -> None:
    html = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
    write(tmp_path / "p.html", "t", records(["full"], 3), [Section("s", html)], {}, [], grey)
    visit(browser, tmp_path / "p.html")
    assert browser.execute_script("return window.hacked") is None
    assert texts(browser, "#summary tbody th") == ["full"]  # the page's own script does
    assert not find(browser, "#pictures").is_displayed()


@pytest.mark.parametrize("width", [390, 1280])
def test_body_never_scrolls_sideways(browser: webdriver.Chrome, page: Path, width: int) -> None:
    visit(browser, page, width)
    measured = "const e = document.documentElement; return [e.scrollWidth, e.clientWidth]"
    assert browser.execute_script(measured) == [width, width]
    chart = find(browser, "#chart svg").size["width"]
    assert chart <= width - 32
    visit(browser, page, 1280)


CONTRASTS = r"""
const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
function rgba(colour) {
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data;
}
function luminance(colour) {
  const [r, g, b] = [...rgba(colour)].slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function background(element) {
  for (let e = element; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor;
    if (rgba(colour)[3] === 255) return colour;
  }
  return "Canvas";
}
function contrast(element, colour) {
  const [a, b] = [luminance(colour), luminance(background(element))].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}
const own = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
const text = [...document.querySelectorAll("body *")]
  .filter((e) => own(e) && e.checkVisibility() && !e.closest("script, option, title"))
  .map((e) => {
    const style = getComputedStyle(e);
    const colour = e.closest("svg") ? style.fill : style.color;
    return [e.tagName + " " + e.textContent.slice(0, 30), contrast(e, colour)];
  });
const lines = [...document.querySelectorAll("#chart .line")]
  .map((e) => ["line", contrast(e, getComputedStyle(e).stroke)]);
return { text, lines };
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_stand_out(browser: webdriver.Chrome, page: Path, scheme: str) -> None:
    visit(browser, page, scheme=scheme)
    dark = browser.execute_script(
        "return getComputedStyle(document.documentElement).backgroundColor"
    )
    assert (dark == "rgb(255, 255, 255)") == (scheme == "light")
    found = browser.execute_script(CONTRASTS)
    assert len(found["text"]) > 60
    assert [(name, ratio) for name, ratio in found["text"] if ratio < 4.5] == []
    assert len(found["lines"]) == len(METHODS)
    assert [ratio for _, ratio in found["lines"] if ratio < 3] == []
    visit(browser, page)


def test_landmarks_language_and_labels(opened: webdriver.Chrome) -> None:
    assert find(opened, "html").get_attribute("lang") == "en"
    for landmark in ("header", "nav", "main"):
        assert len(texts(opened, landmark)) == 1
    unnamed = opened.execute_script(
        "return [...document.querySelectorAll('input, select, button, img, #chart svg')]"
        ".filter((e) => e.checkVisibility())"
        ".filter((e) => !(e.labels?.length || e.ariaLabel || e.alt || e.textContent.trim()))"
        ".map((e) => e.outerHTML)"
    )
    assert unnamed == []
    lost = opened.execute_script(
        "return [...document.links].filter((a) => !document.querySelector(a.hash)).length"
    )
    assert lost == 0


def test_focus_is_seen(opened: webdriver.Chrome) -> None:
    press(opened, Keys.TAB, Keys.TAB, Keys.TAB, Keys.TAB, Keys.TAB)
    outline = opened.execute_script(
        "const style = getComputedStyle(document.activeElement);"
        "return [style.outlineStyle, style.outlineWidth]"
    )
    assert outline == ["solid", "3px"]
