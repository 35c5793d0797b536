"""The page in a real browser: painting by every device, filling, saving, and what is refused."""

import base64
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from bench.cli.parser import main
from bench.core.errors import UserError
from bench.data.images.decode import read_rgb
from bench.painting import fillers
from bench.painting.server import Server
from tests.bench.painting.conftest import encoded, finished_run, noise
from tests.reports.page import conftest as reading
from tests.reports.page.conftest import click, find, press, texts

browser = reading.browser
RUN = "forward-quick-seed0"
HOLE = """
const { width, height } = document.getElementById("mask");
const pixels = document.getElementById("mask").getContext("2d").getImageData(0, 0, width, height);
return pixels.data.filter((_, i) => i % 4 === 3).reduce((n, alpha) => n + (alpha >= 128), 0);
"""
"""How many pixels are painted."""
DROP = """
const bytes = Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0));
const transfer = new DataTransfer();
transfer.items.add(new File([bytes], arguments[1]));
return document.body.dispatchEvent(arguments[2] === "paste"
  ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
  : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
"""
"""Drop or paste a file: its bytes in base64, its name, and which of the two."""


def visit(chrome: Chrome, server: Server, width: int, touch: bool) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": touch}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chrome.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch})
    chrome.get_log("browser")  # what earlier pages left
    chrome.get(server.address)
    until(chrome, lambda: texts(chrome, "fieldset"))


def until(chrome: Chrome, state: Callable[[], Any]) -> None:
    WebDriverWait(chrome, 30, 0.02).until(lambda _: state())


def load(chrome: Chrome, file: Path) -> None:
    find(chrome, "#file").send_keys(str(file))
    until(chrome, lambda: file.name in texts(chrome, "#about")[0] and find(chrome, "#sheet").size)
    until(chrome, lambda: texts(chrome, "#ratio") == ["No hole yet: paint one."])


def stroke(chrome: Chrome, x: int, y: int, right: int = 40) -> None:
    """Paint from a place, in pixels from the middle of the picture, to the right."""
    start = ActionChains(chrome, duration=0).move_to_element_with_offset(
        find(chrome, "#sheet"), x, y
    )
    start.click_and_hold().move_by_offset(right, 0).release().perform()


def hold(chrome: Chrome, *keys: str) -> None:
    """Press keys while those before them are held down, if they are Control or Shift."""
    chrome.switch_to.active_element.send_keys(*keys)


def holes(chrome: Chrome) -> int:
    return int(chrome.execute_script(HOLE))


def tick(chrome: Chrome, *methods: str) -> None:
    """Choose these methods and no others."""
    for box in chrome.find_elements("css selector", "[name=method]"):
        if box.is_selected() != (box.get_attribute("data-label") in methods):
            box.click()


def states(chrome: Chrome) -> list[str]:
    script = "return [...document.querySelectorAll('[data-state]')].map((c) => c.dataset.state)"
    return list(chrome.execute_script(script))


def saved(chrome: Chrome, folder: Path, name: str, css: str) -> Path:
    """The file that a link saves, once it is there."""
    behaviour = {"behavior": "allow", "downloadPath": str(folder)}
    chrome.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    click(chrome, css)
    until(chrome, (folder / name).exists)
    return folder / name


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.jpg"
    file.write_bytes(encoded(noise(80, 120), "jpeg"))
    return file


@pytest.fixture
def page(browser: Chrome, server: Server) -> Chrome:
    visit(browser, server, 1280, touch=False)
    return browser


def test_a_picture_is_painted_filled_and_saved(page: Chrome, photo: Path, runs: Path) -> None:
    assert not find(page, "#fill").is_enabled()
    assert texts(page, "#limits") == ["up to 64 MB and 25 million pixels"]
    load(page, photo)
    stroke(page, -60, -30)
    one = holes(page)
    stroke(page, 20, 40)
    two = holes(page)
    assert two > one > 0
    hold(page, Keys.CONTROL, "z")
    assert holes(page) == one
    hold(page, Keys.CONTROL, Keys.SHIFT, "z")
    assert holes(page) == two
    press(page, "e")
    stroke(page, -50, -30, right=10)
    assert one < holes(page) < two
    click(page, "#undo")
    assert holes(page) == two
    click(page, "#clear")
    until(page, lambda: texts(page, "#ratio") == ["No hole yet: paint one."])
    assert holes(page) == 0 and not find(page, "#fill").is_enabled()
    stroke(page, 0, 0)
    click(page, "#clear")
    assert holes(page) == 0
    for _ in range(3):
        click(page, "#undo")
    until(page, find(page, "#fill").is_enabled)
    assert holes(page) == two
    assert (
        "A quick run trains for about a minute"
        in texts(page, "fieldset:has([data-preset=quick])")[0]
    )
    tick(page, "telea", RUN)
    click(page, "#fill")
    until(page, lambda: states(page) == ["filled", "filled"])
    assert texts(page, "#progress-text") == ["2 of 2 done"]
    assert texts(page, "#cards strong") == ["Input", RUN, "telea"]
    picture = saved(page, photo.parent, "photo.png", "#save-picture")
    mask = saved(page, photo.parent, "photo-mask.png", "#save-mask")
    assert np.array_equal(read_rgb(picture), read_rgb(photo))
    hole = np.asarray(Image.open(mask).convert("L"))
    assert set(np.unique(hole)) == {0, 255} and (hole == 255).sum() == two
    for words in (["--baseline", "telea"], ["--run", str(runs / RUN)]):
        name = f"photo-{Path(words[1]).name}.png"
        link = f"[download='{name}']"
        shown = read_rgb(saved(page, photo.parent, name, link))
        assert np.array_equal(shown[hole == 0], read_rgb(photo)[hole == 0])
        out = photo.with_name("filled.png")
        files = ["--image", str(picture), "--mask", str(mask), "--out", str(out)]
        assert main(["inpaint", *words, *files, "--device", "cpu"]) == 0
        assert np.array_equal(shown, read_rgb(out))
    assert "quick run" in texts(page, f"figure[title='{runs / RUN}']")[0]
    stroke(page, 20, 40)
    assert texts(page, "#stale") == ["The picture or its hole has changed since."]
    assert page.get_log("browser") == []


def test_what_waits_can_be_cancelled_and_a_failure_stands_in_its_place(
    page: Chrome, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def fail(*_: object) -> None:
        release.wait(30)
        raise UserError("a reason")

    monkeypatch.setattr(fillers.picture, "fill_picture", fail)
    load(page, photo)
    stroke(page, 0, 0)
    until(page, lambda: "% is hole" in texts(page, "#ratio")[0])
    tick(page, RUN, "telea", "mean-colour", "patchmatch")
    click(page, "#fill")
    until(page, lambda: states(page) == ["filling", "waiting", "waiting", "waiting"])
    click(page, "[aria-label='Cancel telea']")
    assert states(page) == ["filling", "waiting", "waiting"]
    click(page, "#cancel")
    assert states(page) == ["filling"] and not find(page, "#cancel").is_displayed()
    release.set()
    until(page, lambda: states(page) == ["failed"])
    assert texts(page, "#cards .error") == ["a reason"]
    assert texts(page, "#progress-text") == ["1 of 1 done, 1 of them failed"]
    until(page, find(page, "#fill").is_enabled)


def test_runs_of_one_name_are_named_by_their_folders(
    page: Chrome, server: Server, runs: Path, tmp_path: Path
) -> None:
    assert texts(page, "[value*=forward] + * b") == [RUN]
    again = finished_run(tmp_path / "again" / RUN).path
    finished_run(tmp_path / "again/forward-paper-seed0", "paper")
    server.fillers.folders = [runs, again.parent]
    visit(page, server, 1280, touch=False)
    named = texts(page, "[value*=forward] + * b")
    assert named == [str(runs / RUN), "forward-paper-seed0", str(again)]


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted_and_no_picture_loses_nothing(
    page: Chrome, how: str
) -> None:
    file = base64.b64encode(encoded(noise(40, 60))).decode()
    left = page.execute_script(DROP, file, "one.png", how)
    assert left == (how == "paste")  # at a drop the browser would leave the page for the picture
    until(page, lambda: texts(page, "#about") == ["one.png, 60 × 40 pixels"])
    until(page, lambda: find(page, "#sheet").size["width"])
    stroke(page, 0, 0)
    painted = holes(page)
    page.execute_script(DROP, base64.b64encode(b"no picture").decode(), "two.txt", how)
    until(page, lambda: find(page, "#picture-error").is_displayed())
    assert texts(page, "#picture-error")[0].startswith("two.txt: the file is not an image")
    assert texts(page, "#about") == ["one.png, 60 × 40 pixels"] and holes(page) == painted > 0


def test_nothing_is_undone_in_the_middle_of_a_stroke(page: Chrome, photo: Path) -> None:
    load(page, photo)
    stroke(page, -60, -30)
    painted = holes(page)
    begun = ActionChains(page, duration=0).move_to_element(find(page, "#sheet")).click_and_hold()
    begun.key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL)
    begun.move_by_offset(40, 0).release().perform()
    assert holes(page) > painted
    click(page, "#undo")
    assert holes(page) == painted


def test_keys_paint_and_zoom(page: Chrome, photo: Path) -> None:
    load(page, photo)
    page.execute_script("document.getElementById('stage').focus()")
    press(page, Keys.SPACE)
    spot = holes(page)
    press(page, Keys.ARROW_RIGHT)
    assert holes(page) == spot > 0
    hold(page, Keys.SHIFT, Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    line = holes(page)
    assert line > spot
    press(page, "]", Keys.SPACE)
    assert holes(page) > line and find(page, "#size").get_attribute("value") == "8"
    width = find(page, "#sheet").size["width"]
    press(page, "+", "+")
    assert find(page, "#sheet").size["width"] > 1.5 * width
    press(page, "0")
    assert find(page, "#sheet").size["width"] == width


def test_a_phone_paints_by_one_finger_and_zooms_by_two(
    browser: Chrome, server: Server, photo: Path
) -> None:
    def touch(kind: str, *points: tuple[int, int]) -> None:
        fingers = [{"x": left + x, "y": top + y, "id": i} for i, (x, y) in enumerate(points)]
        event = {"type": kind, "touchPoints": fingers}
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", event)

    def box() -> tuple[int, int, int]:
        script = "const b = document.getElementById('sheet').getBoundingClientRect();"
        return tuple(browser.execute_script(f"{script} return [b.left, b.top, b.width]"))

    visit(browser, server, 360, touch=True)
    load(browser, photo)
    browser.execute_script("document.getElementById('stage').scrollIntoView()")
    left, top, width = box()
    touch("touchStart", (100, 60))
    touch("touchMove", (180, 60))
    touch("touchEnd")
    painted = holes(browser)
    assert painted > 0
    touch("touchStart", (100, 100))
    touch("touchStart", (100, 100), (160, 100))
    touch("touchMove", (60, 100), (220, 100))
    touch("touchEnd")
    assert holes(browser) == painted and box()[2] > 1.5 * width
    until(browser, lambda: "% is hole" in texts(browser, "#ratio")[0])
    click(browser, "#fill")
    until(browser, lambda: states(browser) == ["filled"])
    assert browser.execute_script("return document.documentElement.scrollWidth") == 360
    click(browser, "#close")
    part = browser.execute_script("return document.querySelector('.view img').clientWidth")
    assert part > 1.2 * find(browser, ".view").size["width"]
