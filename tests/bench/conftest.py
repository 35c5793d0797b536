"""For the tests of the command line."""

from collections.abc import Callable

import pytest

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


@pytest.fixture(autouse=True)
def without_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots as PDF take a third of a report's time; tests/reports/plots has them."""
    from reports.plots import canvas

    monkeypatch.setattr(canvas, "FORMATS", {k: canvas.FORMATS[k] for k in (".png", ".svg")})
