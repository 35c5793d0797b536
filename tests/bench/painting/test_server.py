"""The server answers its own page, and refuses others."""

import errno
import re
import socket
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.cli.parser import main
from bench.core.errors import UserError
from bench.data.images.decode import read_rgb
from bench.painting import fillers, uploads
from bench.painting.fillers import Fillers
from bench.painting.server import FILES, MOST_BYTES, Handler, Server
from tests.bench.painting.conftest import Ask, encoded, fill, finished_run, hole, noise


def told(reply: Any) -> str:
    """The one line of an error."""
    (text,) = reply.json.values()
    assert list(reply.json) == ["error"] and len(text.splitlines()) == 1
    return str(text)


def test_every_file_that_the_page_names_is_served(ask: Ask) -> None:
    named = set()
    for path in FILES:
        reply = ask(path)
        assert reply.status == 200 and reply.content
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        named |= set(re.findall(rb'"(?:\./)?([a-z]+\.(?:js|css))"', reply.content))
        assert not re.search(rb"https?://", reply.content)
    assert {f"/{name.decode()}" for name in named} | {"/"} == set(FILES)


@pytest.mark.parametrize(
    "path", ["/server.py", "/../server.py", "/page.js/../server.py", "/page.js?x", "/fill"]
)
def test_nothing_else_is_there(path: str, ask: Ask) -> None:
    reply = ask(path)
    assert reply.status == 404 and told(reply) == "there is no such page"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", None]
)
def test_a_name_that_was_pointed_here_is_refused(host: str | None, ask: Ask) -> None:
    for body in (None, encoded(noise(16, 16))):
        reply = ask("/picture" if body else "/", body, Host=host, Origin=f"http://{host}")
        assert reply.status == 403 and "127.0.0.1" in told(reply)


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null", None])
def test_a_post_of_another_page_is_refused(origin: str | None, ask: Ask) -> None:
    reply = ask("/picture", encoded(noise(16, 16)), Origin=origin)
    assert reply.status == 403 and told(reply) == "only the page itself may ask this server"


def test_the_page_may_come_through_a_tunnel(ask: Ask) -> None:
    there = {"Host": "localhost:9000", "Origin": "http://localhost:9000"}
    assert ask("/picture", encoded(noise(16, 16)), **there).status == 200
    assert ask("/", Origin=None).status == 200  # as where an address is typed


def test_the_length_is_known_and_has_a_limit(ask: Ask) -> None:
    assert ask("/picture", b"", Content_Length=None).status == 411
    assert ask("/picture", b"", Content_Length="-1").status == 411
    reply = ask("/picture", b"", Content_Length=str(MOST_BYTES + 1))  # it is not waited for
    assert reply.status == 413 and "64 MB" in told(reply)


def test_only_this_machine_is_served(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"


def test_a_port_in_use_is_one_line(server: Server) -> None:
    with pytest.raises(UserError, match=rf"port {server.server_port} is in use.*--port"):
        Server(server.server_port, server.fillers)


def test_the_picture_is_what_inpaint_reads(ask: Ask, tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    grey = (np.arange(400, dtype=np.uint16) * 160).reshape(20, 20)
    clear = np.dstack([noise(20, 30), hole(20, 30)])
    files = {
        "turned.jpg": encoded(noise(20, 30), "jpeg", exif=turned),
        "grey.png": encoded(grey),
        "clear.webp": encoded(clear, "webp", lossless=True),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        reply = ask("/picture", content)
        assert reply.headers["Content-Type"] == "image/png"
        assert np.array_equal(reply.pixels, read_rgb(tmp_path / name)), name


def test_what_is_no_picture_is_one_line(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = encoded(noise(40, 40))
    assert "not an image" in told(ask("/picture", b"<svg></svg>"))
    assert "smaller than 16 pixels" in told(ask("/picture", encoded(noise(15, 40))))
    assert "damaged or truncated" in told(ask("/picture", whole[: len(whole) // 2]))
    monkeypatch.setattr(uploads, "MOST_PIXELS", 1_000_000)
    bomb = encoded(np.zeros((1001, 1000), np.uint8))
    assert len(bomb) < 10_000
    reply = ask("/picture", bomb)
    assert reply.status == 400 and "1000x1001 pixels; make it smaller, up to 1 mill" in told(reply)


@pytest.mark.parametrize("method", ["telea", "forward-quick-seed0"])
def test_a_filling_is_that_of_inpaint(
    method: str, ask: Ask, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    is_run = (runs / method).exists()
    picture, mask = encoded(noise(37, 61), "jpeg"), encoded(hole(37, 61))
    reply = fill(ask, str(runs / method) if is_run else method, picture, mask)
    assert reply.status == 200 and re.fullmatch(r"fill;dur=\d+\.\d", reply.headers["Server-Timing"])
    assert [*tmp_path.iterdir()] == [runs]  # the server writes nothing
    Path("i.jpg").write_bytes(picture)
    Path("m.png").write_bytes(mask)
    words = ["--image", "i.jpg", "--mask", "m.png", "--out", "o.png", "--device", "cpu"]
    named = ["--run", f"runs/{method}"] if is_run else ["--baseline", method]
    assert main(["inpaint", *named, *words]) == 0
    assert np.array_equal(reply.pixels, np.asarray(Image.open("o.png")))
    known = hole(37, 61) == 0
    assert np.array_equal(reply.pixels[known], ask("/picture", picture).pixels[known])
    assert not np.array_equal(reply.pixels[~known], ask("/picture", picture).pixels[~known])


def test_runs_are_offered_before_algorithms(ask: Ask, runs: Path) -> None:
    finished_run(runs / "forward-paper-seed0", "paper")
    found = ask("/methods").json
    first, second, *rest = found["methods"]
    assert [first["name"], second["name"]] == [
        str(runs / "forward-paper-seed0"), str(runs / "forward-quick-seed0")
    ]  # fmt: skip
    assert (first["preset"], second["preset"]) == ("paper", "quick")
    assert first["summary"] == "forward, preset paper, seed 0"
    assert {"telea", "mean-colour"} <= {entry["name"] for entry in rest}
    assert {entry["preset"] for entry in rest} == {""}
    assert found["problems"] == [] and found["mostBytes"] == MOST_BYTES


def test_a_run_that_cannot_fill_is_left_out_with_the_reason(runs: Path) -> None:
    run = finished_run(runs / "damaged")
    run.config.write_text("{}")
    finished_run(runs / "begun")._set_state("running")
    algorithm = finished_run(runs / "algorithm")
    algorithm.weights.unlink()
    algorithm.seal()
    offered, problems = Fillers([runs, runs / "forward-quick-seed0"], "cpu").found()
    assert [f.name for f in offered if f.preset] == [str(runs / "forward-quick-seed0")]
    (problem,) = problems
    assert problem.startswith(f"left out: {run.config} was changed")
    offered, problems = Fillers([], "cpu").found()
    assert problems == ["no trained run in this folder; make one with `python -m bench run`"]


def test_a_filling_that_cannot_be_is_one_line(ask: Ask) -> None:
    picture, mask = encoded(noise(32, 32)), encoded(hole(32, 32))
    assert "no method 'nobody'" in told(fill(ask, "nobody", picture, mask))
    assert "mask has the shape" in told(fill(ask, "telea", picture, encoded(hole(32, 33))))
    for level, text in ((0, "no hole"), (255, "no known pixel")):
        full = encoded(np.full((32, 32), level, np.uint8))
        assert f"the mask has {text}" in told(fill(ask, "telea", picture, full))
    assert "the mask is not an image" in told(fill(ask, "telea", picture, b"mask"))
    assert "say method=NAME" in told(ask("/fill?method=telea", picture))


@pytest.mark.parametrize(
    ("error", "text"),
    [(MemoryError(), "out of memory; use a smaller"), (KeyError("a bug"), "KeyError('a bug')")],
)
def test_a_failure_is_told_on_the_page(
    error: Exception, text: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(fillers.picture, "fill_picture", fail)
    reply = fill(ask, "telea", encoded(noise(32, 32)), encoded(hole(32, 32)))
    assert reply.status == 500 and text in told(reply)


def test_weights_are_read_once_and_again_when_they_are_others(
    ask: Ask, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    load = fillers.network_of
    monkeypatch.setattr(fillers, "network_of", lambda *a: read.append(a) or load(*a))
    name, picture, mask = str(runs / "forward-quick-seed0"), noise(32, 32), encoded(hole(32, 32))
    first = fill(ask, name, encoded(picture), mask).pixels
    assert np.array_equal(first, fill(ask, name, encoded(picture), mask).pixels)
    assert len(read) == 1
    finished_run(runs / "forward-quick-seed0", seed=1)
    assert not np.array_equal(first, fill(ask, name, encoded(picture), mask).pixels)
    assert len(read) == 2
    finished_run(runs / "forward-quick-seed0", seed=2).weights.unlink()
    assert "weights.safetensors is missing" in told(fill(ask, name, encoded(picture), mask))


def test_one_filling_waits_for_another(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    release, asked, fillings = threading.Event(), [], []
    real, submit = fillers.picture.fill_picture, Fillers.fill

    def ask_for(*arguments: Any) -> Any:
        asked.append(arguments)
        return submit(*arguments)

    def slow(*arguments: Any) -> Any:
        fillings.append(threading.current_thread())
        release.wait(20)
        return real(*arguments)

    monkeypatch.setattr(Fillers, "fill", ask_for)
    monkeypatch.setattr(fillers.picture, "fill_picture", slow)
    picture, mask = encoded(noise(32, 32)), encoded(hole(32, 32))
    replies: list[int] = []
    threads = [
        threading.Thread(target=lambda: replies.append(fill(ask, "telea", picture, mask).status))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    while len(asked) < 2 or not fillings:
        time.sleep(0.01)
    assert ask("/methods").status == 200  # meanwhile the page answers
    assert len(fillings) == 1
    release.set()
    for thread in threads:
        thread.join()
    assert replies == [200, 200] and len(set(fillings)) == 1


@pytest.mark.parametrize("closed", [True, False])
def test_a_page_that_sends_half_ends_nothing(
    closed: bool,
    ask: Ask,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Handler, "timeout", 20 if closed else 0.1)
    head = "POST /picture HTTP/1.0\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n"
    with socket.create_connection(("127.0.0.1", server.server_port), 20) as connection:
        connection.sendall(f"{head}Content-Length: 100\r\n\r\nabc".encode())
        if closed:
            connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert ask("/").status == 200 and capsys.readouterr().err == ""


def test_another_error_of_the_port_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Server, "server_bind", refuse)
    with pytest.raises(PermissionError):
        Server(1, Fillers([], "cpu"))
