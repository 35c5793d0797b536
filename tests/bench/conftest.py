"""For the tests of the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from bench import registry
from bench.cli.parser import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, standard output and standard error of one command."""

    def call(*words: object) -> tuple[int, str, str]:
        code = main([str(w) for w in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods that a test adds to the registry are unknown after it."""
    registry.discover()
    for name in ("_items", "_modules", "_again"):
        monkeypatch.setattr(registry.REGISTRY, name, dict(getattr(registry.REGISTRY, name)))


@pytest.fixture(autouse=True)
def nothing_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing is most of a report's time: plots are blank here, and tests/reports draws them."""

    def save(figure: Figure, path: Path, dpi: int, **_: object) -> None:
        if path.suffix == ".png":
            width, height = (int(inches * dpi) for inches in figure.get_size_inches())
            Image.new("RGB", (width, height)).save(path)
        else:
            path.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")

    monkeypatch.setattr(Figure, "savefig", save)
    monkeypatch.setattr(Figure, "draw_without_rendering", lambda figure: None)
