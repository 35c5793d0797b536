"""Fingerprints cover what runs, and nothing that does not."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.config import override
from bench.data.masks.source import modules
from bench.presets import preset
from bench.registry import Method, TrainedNetwork, discover, find
from bench.runs import identity
from bench.runs.identity import (
    fingerprint,
    measurement,
    method_code,
    module_digest,
    relevant_options,
)

Write = Callable[[str, str], None]
OWN = ("mine",)
QUICK = preset("quick")
NET = '''"""A network."""

from mine.layers import scale


class Net:
    """Scale its input."""

    factor: int = 2
    """Times."""

    def forward(self, x):
        # twice
        return scale(x, self.factor)
'''
LAYERS = "def scale(x, factor):\n    return factor * x\n"


def read_again() -> None:
    """Forget the words and digests of all modules."""
    identity._words.cache_clear()
    module_digest.cache_clear()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a module of the package `mine`."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def module(name: str, text: str) -> None:
        path = tmp_path / "mine" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        read_again()
        sys.path_importer_cache.clear()

    module("__init__", "")
    yield module
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
        del sys.modules[name]
    read_again()


def digest(name: str = "mine.net") -> str:
    return module_digest(name, OWN)


@pytest.fixture
def before(write: Write) -> str:
    """The digest of a module that imports another."""
    write("net", NET)
    write("layers", LAYERS)
    return digest()


def test_words_for_readers_do_not_count(write: Write, before: str) -> None:
    reworded = NET.replace("A network", "The network").replace("# twice", "# doubled")
    reworded = reworded.replace('"""Times."""', '"""How often."""').replace("\n\n\n", "\n")
    typed = "from typing import TYPE_CHECKING\n"
    write("net", reworded)
    assert digest() == before
    write("net", typed + reworded)
    with_import = digest()
    write("net", typed + "if TYPE_CHECKING:\n    import mine.other\n" + reworded)
    assert digest() == with_import


def test_a_moved_module_does_not_count(write: Write, before: str) -> None:
    write("pieces", LAYERS)
    write("net", NET.replace("mine.layers", "mine.pieces"))
    assert digest() == before
    write("net", NET.replace("from mine.layers import scale", "from mine import layers"))
    other = digest()
    write("net", NET.replace("from mine.layers import scale", "from mine import pieces as layers"))
    assert digest() == other


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("factor: int = 2", "factor: int = 3"),
        ("import scale", "import scale as zoom"),
        ("return scale(x, self.factor)", "return scale(self.factor, x)"),
        ("class Net:", "class Network:"),
    ],
)
def test_code_counts(write: Write, before: str, old: str, new: str) -> None:
    write("net", NET.replace(old, new))
    assert digest() != before


def test_imported_code_counts(write: Write, before: str) -> None:
    write("layers", LAYERS.replace("factor * x", "x - factor"))
    assert digest() != before


def test_how_results_are_measured_does_not_count_in_a_training() -> None:
    followed = identity._Modules(identity.OWN_PACKAGES)
    for name in identity.TRAINING_CODE:
        followed.digest(name)
    assert "bench.evaluation.fill" in followed.digests
    assert "bench.evaluation.evaluator" not in followed.digests
    assert "bench.evaluation.metrics.ssim" not in followed.digests


def test_which_module_a_name_comes_from_counts(write: Write, before: str) -> None:
    """Both modules are imported either way, and only the origin of one name changes."""
    both = "import mine.layers\nimport mine.other\n"
    write("other", LAYERS.replace("factor * x", "x - factor"))
    write("net", both + NET)
    first = digest()
    write("net", both + NET.replace("from mine.layers", "from mine.other"))
    assert digest() != first


def test_imports_inside_functions_and_references_count(write: Write) -> None:
    write("layers", LAYERS)
    for text in (
        "def f():\n    from mine.layers import scale\n    return scale\n",
        "NET = 'mine.layers:scale'\n",
    ):
        write("layers", LAYERS)
        write("net", text)
        first = digest()
        write("layers", LAYERS.replace("factor * x", "x - factor"))
        assert digest() != first


def test_relative_imports_count(write: Write, before: str) -> None:
    write("net", NET.replace("from mine.layers import", "from .layers import"))
    assert digest() == before
    write("layers", LAYERS.replace("factor * x", "x - factor"))
    assert digest() != before


def test_modules_that_import_each_other_have_a_digest(write: Write) -> None:
    write("net", "import mine.other\nA = 1\n")
    write("other", "import mine.net\nB = 1\n")
    first = digest()
    write("other", "import mine.net\nB = 2\n")
    assert digest() != first


def test_the_digest_is_the_same_in_another_process(tmp_path: Path) -> None:
    import subprocess

    code = (
        "from bench.registry import find\nfrom bench.runs.identity import method_code\n"
        "from bench.presets import preset\nprint(method_code(find('forward'), preset('quick')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == method_code(find("forward"), QUICK)


def test_variants_differ_by_their_fields_and_objectives() -> None:
    variants = [method for method in discover().values() if method.family == "variant"]
    assert len({method_code(method, QUICK) for method in variants}) == len(variants)


def test_what_only_describes_a_method_does_not_count() -> None:
    def method(**changes: object) -> Method:
        shared: dict[str, object] = {
            "name": "m", "family": "variant", "summary": "s",
            "network": "variants.lbam.generator:Generator", "arguments": {"spec": 1},
        }  # fmt: skip
        return TrainedNetwork(**(shared | changes))  # type: ignore[arg-type]

    same = method_code(method(), QUICK)
    assert (
        method_code(method(summary="other words", views="variants.lbam.views:views"), QUICK) == same
    )
    assert method_code(method(arguments={"spec": 2}), QUICK) != same
    assert method_code(method(objective={"adversarial": 0.0}), QUICK) != same
    assert method_code(method(network="baselines.pconv.network:PConvUNet"), QUICK) != same
    assert method_code(method(learner="baselines.pconv.learner:PConvLearner"), QUICK) != same


def test_which_thing_of_a_module_is_named_counts() -> None:
    shared: dict[str, object] = {"name": "m", "family": "baseline", "summary": "s"}
    one, other = (
        TrainedNetwork(**shared, network=f"baselines.contextual_attention.network:{name}")  # type: ignore[arg-type]
        for name in ("TwoStages", "Critics")
    )
    assert method_code(one, QUICK) != method_code(other, QUICK)


def test_the_names_of_modules_do_not_order_the_digest(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A moved network comes at another place among the modules, sorted by name."""
    found = []
    for name in ("aaa", "zzz"):
        write(name, NET)
        write("layers", LAYERS)
        method = TrainedNetwork(name="m", family="variant", summary="", network=f"mine.{name}:Net")
        found.append(method_code(method, QUICK))
    assert found[0] == found[1]


def test_drawn_masks_count_by_their_code(monkeypatch: pytest.MonkeyPatch) -> None:
    strokes, boxes = (override(QUICK, {"masks": masks}) for masks in ("strokes", "boxes"))
    assert method_code(find("full"), strokes) != method_code(find("full"), boxes)
    telea = find("telea")  # it is measured on masks that the test pairs' hash covers
    assert method_code(telea, strokes) == method_code(telea, boxes)


def test_a_mix_counts_by_the_families_that_it_draws_from() -> None:
    assert modules("paper") == ["bench.data.masks.paper", "bench.data.masks.shapes"]
    assert modules("nvidia:/some/where") == ["bench.data.masks.nvidia"]
    assert modules("boxes, strokes") == ["bench.data.masks.boxes", "bench.data.masks.strokes"]


def test_the_code_of_a_measurement_is_that_of_its_metrics_and_references() -> None:
    found = measurement(QUICK, ["psnr", "ssim"], [find("telea"), find("patchmatch")])
    assert found["metrics"].keys() == {"psnr", "ssim"}
    assert len({*found["metrics"].values(), *found["references"].values()}) == 4


def test_fingerprint_is_the_same_in_any_order() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


@pytest.mark.parametrize(
    ("option", "value", "kept"),
    [
        ("masks", "paper:/some/where", "paper"),
        ("test_images", "folder:/some/where", "folder"),
        ("images", "places365", "places365"),
        ("masks", "shapes,strokes", "shapes,strokes"),
    ],
)
def test_paths_are_left_out_of_the_identity(option: str, value: str, kept: str) -> None:
    config = override(preset("quick"), {option: value})
    assert relevant_options(find("full"), config)[f"data.{option}"] == kept


def test_options_that_a_method_ignores_are_left_out_of_the_identity() -> None:
    options = relevant_options(find("global-local"), preset("quick"))
    assert "training.lr" not in options and "objective.style" not in options
    assert "training.steps" in options and "model.critic_width" in options
    assert "training.lr" in relevant_options(find("full"), preset("quick"))
