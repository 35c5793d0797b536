"""Files of Python that `--plugin` names: how they are imported, and which are refused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.core import plugins
from bench.core.errors import UserError
from bench.core.registry import Registry

Write = Callable[[str, str], Path]
DEFINES = "import bench.core.plugins as p\np.things.add({name!r}, 'a thing')\n"


@pytest.fixture
def things(monkeypatch: pytest.MonkeyPatch) -> Registry[str]:
    """A registry of nothing, which the plug-ins of these tests find in a module."""
    registry: Registry[str] = Registry("thing", (), "lbam_bench.things")
    monkeypatch.setattr(plugins, "things", registry, raising=False)
    return registry


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a file; the modules of all files are forgotten at the end."""
    monkeypatch.setattr(plugins, "_loaded", [])
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    yield file
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_file_defines_things_and_imports_what_lies_beside_it(
    write: Write, things: Registry[str]
) -> None:
    write("neighbour_of_it.py", "NAME = 'mine'\n")
    text = DEFINES.format(name="x").replace("'x'", "neighbour_of_it.NAME")
    file = write("thing_of_mine.py", f"import neighbour_of_it\n{text}")
    plugins.load(file, things)
    plugins.load(file, things)  # given twice, in a file of options and on the command line
    assert things.all() == {"mine": "a thing"} and plugins.loaded() == (file,)
    beside = map(
        plugins.lies_beside, ("thing_of_mine", "neighbour_of_it", "json", "nothing.at.all")
    )
    assert list(beside) == [True, True, False, False]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("failing.py", "import math\n\nmath.sqrt(-1)\n", r"ValueError: .*failing\.py, line 3\)"),
        ("unreadable.py", "def f(:\n", r"SyntaxError: .*\(unreadable\.py, line 1\)"),
        ("json.py", "", r"another module is called json, .*rename the file"),
        ("two words.py", "", "give a file of Python"),
        ("network.pt", "", "give a file of Python"),
        ("again.py", DEFINES.format(name="taken"), "thing 'taken' of again is already defined in"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    write: Write, things: Registry[str], name: str, text: str, told: str
) -> None:
    things.add("taken", "another thing")
    with pytest.raises(UserError, match=rf"^--plugin .*{name}: .*{told}") as error:
        plugins.load(write(name, text), things)
    assert "\n" not in str(error.value) and not plugins.loaded()


def test_a_file_that_is_missing_is_named(things: Registry[str]) -> None:
    with pytest.raises(UserError, match=r"--plugin gone\.py: no such file"):
        plugins.load(Path("gone.py"), things)
