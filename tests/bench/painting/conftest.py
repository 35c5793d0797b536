"""A server of the page with a run and algorithms, and pictures to send to it."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from bench.config import Config, Model, to_dict
from bench.networks import weights
from bench.networks.initialisation import initialise
from bench.painting.fillers import Fillers
from bench.painting.server import Server
from bench.registry import find
from bench.runs.run import Run

MODEL = Model(width=4, depth=3)


class Reply(NamedTuple):
    """An answer of the server."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def pixels(self) -> Any:
        return np.asarray(Image.open(io.BytesIO(self.content)))


Ask = Callable[..., Reply]


def finished_run(path: Path, preset: str = "quick", seed: int = 0) -> Run:
    """A finished run whose network was never trained, and which measured nothing."""
    network = find("forward").build(MODEL)
    initialise(network, seed, lambda parameter: 0.2)
    run = Run(path)
    identity = {"method": "forward", "training images": "none"}
    run.begin(identity, to_dict(Config(preset, model=MODEL)), {})
    with run.working():
        weights.write(run.weights, network)
    return run


def encoded(pixels: Any, format: str = "png", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


def noise(height: int, width: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def hole(height: int, width: int) -> Any:
    """A white rectangle of a third of each side, on black."""
    pixels = np.zeros((height, width), np.uint8)
    pixels[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = 255
    return pixels


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    finished_run(tmp_path / "runs/forward-quick-seed0")
    return tmp_path / "runs"


@pytest.fixture
def server(runs: Path) -> Iterator[Server]:
    with Server(0, Fillers([runs], "cpu")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ask(server: Server) -> Ask:
    """Send a request as the page does, but for headers that say otherwise; None leaves one out."""

    def send(path: str, body: bytes | None = None, **headers: str | None) -> Reply:
        origin = server.address.rstrip("/")
        usual = {"Host": origin.removeprefix("http://"), "Origin": origin}
        usual["Content-Length"] = str(len(body or b""))
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=20)
        connection.putrequest("GET" if body is None else "POST", path, skip_host=True)
        for name, text in {**usual, **named}.items():
            if text is not None:
                connection.putheader(name, text)
        connection.endheaders(body)
        response = connection.getresponse()
        reply = Reply(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return reply

    return send


def fill(ask: Ask, method: str, picture: bytes, mask: bytes) -> Reply:
    return ask(f"/fill?method={method}&mask={len(mask)}", mask + picture)
