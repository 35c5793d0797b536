"""The command that serves the page; tests/bench/painting tests what it serves."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from bench.painting.server import Server
from tests.bench.conftest import Run


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as place:
        return int(place.getsockname()[1])


def test_a_wrong_start_is_one_line(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, out, err = run("paint", "--port", port)
    assert (code, out) == (2, "") and err.startswith(f"error: port {port} is in use")
    code, _, err = run("paint", "--runs", tmp_path / "absent")
    assert code == 2 and err == f"error: no folder {tmp_path / 'absent'}; give one of runs, or " \
        "leave --runs out\n"  # fmt: skip
    assert run("paint", "--port", "80")[0] == 2
    code, _, err = run("paint", "--plugin", tmp_path / "absent.py")  # what its runs may need
    assert code == 2 and err.endswith("absent.py: no such file\n")


@pytest.mark.parametrize("words", [[], ["--open"]])
def test_the_browser_is_opened_only_where_that_is_asked_for(
    words: list[str], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    codes: list[int] = []

    def interrupted(_: Server) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(Server, "serve_forever", interrupted)
    monkeypatch.setattr(os, "_exit", codes.append)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    port = free_port()
    _, out, err = run("paint", "--port", port, *words)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    address = f"http://127.0.0.1:{port}/"
    assert out == f"painting page: {address} (Ctrl-C ends it)\n\nstopped\n" and err == ""
    assert opened == ([address] if words else []) and codes == [0]


@pytest.mark.slow
def test_ctrl_c_ends_it_in_one_line(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "bench", "paint", "--port", str(free_port())]
    command = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)  # fmt: skip
    assert command.stdout
    line = command.stdout.readline()
    with urlopen(line.split()[2]) as page:
        assert b"Paint a hole" in page.read()
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=60)
    assert (out, err, command.returncode) == ("\nstopped\n", "", 0)
    assert not [*tmp_path.iterdir()]
