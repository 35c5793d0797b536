"""`--plugin FILE.py`: a method outside the suite, named like any other."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import registry
from bench.config import override
from bench.core import plugins
from bench.core.files import read_json
from bench.presets import preset
from bench.registry import find
from bench.runs import identity
from bench.runs.case import Case
from tests.bench.conftest import Run

PLUGIN = """
from bench.registry import TrainedNetwork, register
from shallow_network import Shallow

register(
    TrainedNetwork(
        name="shallow",
        family="baseline",
        summary="one convolution",
        network=Shallow,
        parameters=lambda model: 9 * 4 * 3 + 3,
    )
)
"""
NETWORK = """
import torch
from torch import nn

from shallow_parts import KERNEL


class Shallow(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.layer = nn.Conv2d(4, 3, KERNEL, padding=1)

    def forward(self, image, mask):
        return self.layer(torch.cat([image, mask], 1)).sigmoid()
"""
PARTS = "KERNEL = 3\n"
Forget = Callable[[], None]


@pytest.fixture
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forget]:
    """Return what forgets all plug-ins, as the end of a process does; so does the test's end."""
    registry.discover()
    before = set(sys.modules)
    tables = {name: getattr(registry.REGISTRY, name) for name in ("_items", "_modules", "_again")}

    def call() -> None:
        for name, table in tables.items():
            monkeypatch.setattr(registry.REGISTRY, name, dict(table))
        monkeypatch.setattr(plugins, "_loaded", [])
        for name in [n for n in set(sys.modules) - before if n.startswith("shallow")]:
            del sys.modules[name]
        identity._words.cache_clear()
        identity.module_digest.cache_clear()

    monkeypatch.setattr(sys, "path", list(sys.path))
    call()
    yield call
    call()


@pytest.fixture
def plugin(forget: Forget, tmp_path: Path) -> Path:
    """A plug-in whose network lies beside it, in two more files."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    texts = {"shallow": PLUGIN, "shallow_network": NETWORK, "shallow_parts": PARTS}
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    return folder / "shallow.py"


@pytest.mark.slow
def test_a_plugin_is_trained_and_a_changed_one_asks_for_another_run(
    run: Run,
    plugin: Path,
    forget: Forget,
    tiny: list[str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    words = ["run", "--baseline", "shallow", "--plugin", plugin, *tiny, "--lpips", "off"]
    words += ["--out", tmp_path / "runs"]
    code, out, err = run(*words)
    assert code == 0 and "| shallow" in out, err
    forget()
    with caplog.at_level(logging.INFO, "bench"):
        assert run(*words)[0] == 0 and "is finished; skipped" in caplog.text
    forget()
    exported = tmp_path / "exported"
    made = ["--run", tmp_path / "runs" / "shallow-quick-seed0", "--plugin", plugin]
    assert run("export", *made, "--to", exported)[0] == 0
    card = (exported / "README.md").read_text()
    assert f" --plugin {plugin.name} " in card and f"\nimport {plugin.stem}  # defines" in card
    assert read_json(exported / "config.json")["network"] == "shallow_network:Shallow"
    forget()
    plugin.with_name("shallow_parts.py").write_text("KERNEL = 3 + 0\n")
    code, _, err = run(*words)
    assert code == 2 and "with other settings: code: " in err
    picture = ["--image", "i.png", "--mask", "m.png", "--out", "o.png"]
    forget()
    code, _, err = run("inpaint", "--run", tmp_path / "runs" / "shallow-quick-seed0", *picture)
    assert code == 2 and "unknown method 'shallow'" in err and "needs --plugin FILE.py" in err


def test_a_plugins_code_is_followed_to_the_files_beside_it(plugin: Path, forget: Forget) -> None:
    def code(name: str) -> str:
        forget()
        plugins.load(plugin, registry.REGISTRY)
        return identity.method_code(find(name), preset("quick"))

    own, ours = code("shallow"), code("telea")
    plugin.with_name("shallow_parts.py").write_text("# three by three\nKERNEL = 3\n")
    assert code("shallow") == own
    plugin.with_name("shallow_parts.py").write_text("KERNEL = 5\n")
    assert code("shallow") != own and code("telea") == ours


def test_a_case_names_its_plugin_to_the_process_that_makes_it(
    run: Run, plugin: Path, forget: Forget, tmp_path: Path
) -> None:
    plugins.load(plugin, registry.REGISTRY)
    case = Case(find("shallow"), override(preset("quick"), {"pairs": 2}), tmp_path / "runs")
    assert f"--plugin={plugin}" in case.words()
    forget()
    described = tmp_path / "sweep.toml"
    described.write_text(f'plugin = ["{plugin}"]\nmethods = ["telea", "shallow"]\n')
    options = ["--size", 64, "--resize", 88, "--pairs", 1, "--lpips", "off"]
    words = ["compare", "--config", described, "--launcher", "print", *options]
    code, out, err = run(*words, "--out", tmp_path / "runs")
    assert code == 0, err
    assert [shlex.split(line).count(f"--plugin={plugin}") for line in out.splitlines()] == [1, 1]


def test_list_shows_the_methods_of_a_plugin(run: Run, plugin: Path) -> None:
    code, out, _ = run("list", "--plugin", plugin)
    assert code == 0 and "| shallow" in out


@pytest.mark.slow
def test_check_takes_a_plugin(run: Run, plugin: Path) -> None:
    _, out, _ = run("check", "shallow", "--plugin", plugin)
    assert "ok      any side from 16 pixels" in out and "listed without torch: it is def" in out


def test_an_unknown_method_of_a_missing_plugin_is_one_line(run: Run, plugin: Path) -> None:
    code, _, err = run("list", "--plugin", plugin.with_name("gone.py"))
    assert (code, err) == (2, f"error: --plugin {plugin.with_name('gone.py')}: no such file\n")
