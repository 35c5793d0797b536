import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import variants
from bench import registry
from bench.config import Model
from bench.core.errors import UserError

PLUGIN = """
from dataclasses import replace
from variants.lbam import FULL, LBAM, variant

def softplus_attention():
    from torch import nn
    return nn.Softplus()

@variant("{name}", "softplus in place of gA")
def softplus() -> LBAM:
    return replace(FULL, attention=softplus_attention)
"""


@pytest.fixture
def add_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str, str], None]]:
    """Add a file to `variants/`, as a user would, in a folder that the test throws away."""
    registry.discover()
    monkeypatch.setattr(registry, "_methods", dict(registry._methods))
    monkeypatch.setattr(variants, "__path__", [*variants.__path__, str(tmp_path)])
    before = set(sys.modules)

    def add(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)

    yield add
    for name in set(sys.modules) - before:
        if name.startswith("variants."):
            del sys.modules[name]


def test_finds_the_eight_variants_of_table_2() -> None:
    found = {m.name for m in registry.discover().values() if m.family == "variant" and m.trainable}
    assert found == {"full", "unlearned", "forward", "no-gan", "sigmoid", "lrelu", "relu", "3x3"}


def test_a_new_file_is_a_new_variant(add_file: Callable[[str, str], None]) -> None:
    import torch

    add_file("softplus", PLUGIN.format(name="softplus"))
    method = registry.find("softplus", "variant")
    assert list(method.differs) == ["attention"]
    network = method.build(Model(width=4, depth=3))
    assert sum(p.numel() for p in network.parameters()) == method.parameters(Model(4, 3))
    assert network(torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16)).shape == (1, 3, 16, 16)


def test_parameters_of_an_activation_of_ones_own_are_counted(
    add_file: Callable[[str, str], None],
) -> None:
    add_file("prelu", PLUGIN.format(name="prelu").replace("nn.Softplus()", "nn.PReLU()"))
    method, model = registry.find("prelu"), Model(width=4, depth=3)
    built = sum(p.numel() for p in method.build(model).parameters())
    assert method.parameters(model) == built
    assert built == registry.find("relu").parameters(model) + 5  # one slope a mask level


def test_a_duplicate_name_is_an_error(add_file: Callable[[str, str], None]) -> None:
    add_file("again", PLUGIN.format(name="forward"))
    with pytest.raises(UserError, match=r"'forward' of variants\.again .* variants\.table2"):
        registry.discover()


def test_a_broken_file_is_named_and_leaves_nothing_registered(
    add_file: Callable[[str, str], None],
) -> None:
    add_file("broken", PLUGIN.format(name="half") + "\n1 / 0\n")
    for _ in range(2):
        with pytest.raises(UserError, match=r"variants\.broken .*ZeroDivisionError"):
            registry.discover()
    assert "half" not in registry._methods


def test_an_installed_package_adds_a_variant_by_entry_point(
    add_file: Callable[[str, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "their_package.py").write_text(PLUGIN.format(name="theirs"))
    monkeypatch.syspath_prepend(str(folder))
    point = EntryPoint("theirs", "their_package", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    assert registry.find("theirs").module == "their_package"


def test_an_unknown_name_answers_with_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown variant 'frward'; did you mean forward"):
        registry.find("frward", "variant")
    with pytest.raises(UserError, match="unknown variant 'mean-colour'"):
        registry.find("mean-colour", "variant")


@pytest.mark.parametrize("words", ["['list']", "['--help']", "['run', '--help']"])
def test_list_and_help_do_not_import_torch(words: str) -> None:
    code = (
        "import sys\nfrom bench.cli.parser import main\n"
        f"try:\n    main({words})\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'pandas', 'matplotlib', 'accelerate'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
