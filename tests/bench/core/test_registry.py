"""A registry finds what modules define, refuses doubles and survives a broken module."""

import logging
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from bench.core import registry
from bench.core.errors import UserError
from bench.core.registry import Registry

Add = Callable[[str, str], None]
PACKAGE = "fruit_package"


@pytest.fixture
def fruits() -> Registry[int]:
    return Registry("fruit", [PACKAGE], "test.fruits")


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fruits: Registry[int]) -> Iterator[Add]:
    """Write a module into the registry's package; `fruits` is the registry inside it."""
    folder = tmp_path / PACKAGE
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "fruits_of_the_test", fruits, raising=False)

    def write(name: str, text: str) -> None:
        head = "from bench.core.registry import fruits_of_the_test as fruits\n"
        (folder / f"{name}.py").write_text(head + text)

    yield write
    for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
        del sys.modules[name]


def test_every_file_of_a_package_is_found(add: Add, fruits: Registry[int]) -> None:
    add("trees", "fruits.add('apple', 1)\nfruits.add('pear', 2)\n")
    add("bushes", "fruits.add('currant', 3)\n")
    assert list(fruits.all().items()) == [("currant", 3), ("apple", 1), ("pear", 2)]
    assert fruits.find("pear") == 2
    assert fruits.module("pear") == f"{PACKAGE}.trees"


def test_a_name_taken_twice_means_neither_and_names_both(
    add: Add, fruits: Registry[int], caplog: pytest.LogCaptureFixture
) -> None:
    add("one", "fruits.add('apple', 1)\n")
    add("two", "fruits.add('apple', 2)\nfruits.add('pear', 3)\n")
    assert fruits.all() == {"pear": 3}
    told = f"fruit 'apple' of {PACKAGE}.two is already defined in {PACKAGE}.one; rename one"
    assert [r.message for r in caplog.records] == [told]
    with pytest.raises(UserError, match=told):
        fruits.find("apple")


def test_modules_that_a_broken_one_imported_keep_their_definitions(
    add: Add, fruits: Registry[int]
) -> None:
    add("whole", "fruits.add('apple', 1)\n")
    add("again", f"import {PACKAGE}.whole\nfruits.add('apple', 2)\n1 / 0\n")
    assert fruits.all() == {"apple": 1}


def test_an_unknown_name_is_answered_with_the_nearest(add: Add, fruits: Registry[int]) -> None:
    add("trees", "fruits.add('apple', 1)\n")
    with pytest.raises(UserError, match="unknown fruit 'aple'; did you mean apple"):
        fruits.find("aple")


def test_a_broken_module_is_a_warning_but_to_its_own_users(
    add: Add, fruits: Registry[int], caplog: pytest.LogCaptureFixture
) -> None:
    add("broken", "fruits.add('half', 1)\n1 / 0\n")
    add("whole", "fruits.add('apple', 1)\n")
    with caplog.at_level(logging.WARNING):
        assert fruits.find("apple") == fruits.find("apple") == 1
    (message,) = [record.message for record in caplog.records]  # once
    assert message.startswith(f"{PACKAGE}.broken cannot be imported: ZeroDivisionError: division")
    assert message.endswith("broken.py, line 3)")
    with pytest.raises(UserError, match=rf"unknown fruit 'half'.*{PACKAGE}.broken cannot be"):
        fruits.find("half")


@pytest.mark.parametrize(
    "text",
    [
        "import sys\nsys.exit(3)",
        "raise KeyError('x')",
        "def f(:",
        "raise RuntimeError('two\\nlines')",
        "from bench.core.errors import UserError\nraise UserError('a wrong field')",
        "\\x00",
    ],
)
def test_a_module_may_fail_in_any_way(
    add: Add, fruits: Registry[int], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    add("broken", f"{text}\n")
    add("whole", "fruits.add('apple', 1)\n")
    assert fruits.all() == {"apple": 1}
    (record,) = caplog.records
    assert record.message.startswith(f"{PACKAGE}.broken cannot be imported: ")
    assert "\n" not in record.message


@pytest.mark.parametrize("value", ["no_such_module", "no.such:thing", "", ":x", "..x"])
def test_an_entry_point_may_name_anything(
    add: Add, fruits: Registry[int], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    add("whole", "fruits.add('apple', 1)\n")
    points = [EntryPoint("theirs", value, "test.fruits")]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    assert fruits.all() == {"apple": 1}


def test_an_entry_point_that_fails_is_a_warning(
    add: Add,
    fruits: Registry[int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    add("whole", "fruits.add('apple', 1)\n")
    point = EntryPoint("theirs", "no_such_module", "test.fruits")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    with caplog.at_level(logging.WARNING):
        assert fruits.all() == {"apple": 1}
    assert "no_such_module cannot be imported: ModuleNotFoundError" in caplog.text


def test_an_installed_package_adds_a_definition_by_entry_point(
    add: Add, fruits: Registry[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("unused", "")
    text = "from bench.core.registry import fruits_of_the_test as f\nf.add('theirs', 9)\n"
    (tmp_path / "their_fruits.py").write_text(text)
    point = EntryPoint("theirs", "their_fruits", "test.fruits")
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [point] if group == "test.fruits" else []
    )
    assert fruits.find("theirs") == 9
