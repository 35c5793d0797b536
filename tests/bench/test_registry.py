"""Methods: how they are found, what each kind is, and which settings each refuses."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import variants
from bench import registry
from bench.config import Config, Model, override
from bench.core.errors import UserError
from bench.presets import preset
from bench.registry import Algorithm, ImportedWeights, TrainedNetwork, discover, find
from reports.tables import listings

PLUGIN = """
from variants.lbam import variant

def softplus():
    from torch import nn
    return nn.Softplus()

variant("{name}", "softplus in place of gA", attention=softplus)
"""
AddFile = Callable[[str, str], None]


@pytest.fixture
def add_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddFile]:
    """Add a file to `variants/`, as a user would, in a folder that the test throws away."""
    discover()
    for table in ("_items", "_modules", "_broken", "_again"):
        monkeypatch.setattr(registry.REGISTRY, table, dict(getattr(registry.REGISTRY, table)))
    monkeypatch.setattr(variants, "__path__", [*variants.__path__, str(tmp_path)])
    before = set(sys.modules)

    def add(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)

    yield add
    for name in set(sys.modules) - before:
        if name.startswith("variants."):
            del sys.modules[name]


def test_finds_the_eight_variants_of_table_2() -> None:
    found = {
        m.name
        for m in discover().values()
        if m.family == "variant" and isinstance(m, TrainedNetwork) and not m.only_named
    }
    assert found == {"full", "unlearned", "forward", "no-gan", "sigmoid", "lrelu", "relu", "3x3"}


def test_a_new_file_is_a_new_variant(add_file: AddFile) -> None:
    import torch

    add_file("softplus", PLUGIN.format(name="softplus"))
    method = find("softplus", "variant")
    assert list(method.differs) == ["attention"]
    network = method.build(Model(width=4, depth=3))
    assert sum(p.numel() for p in network.parameters()) == method.parameters(Model(4, 3))
    assert network(torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16)).shape == (1, 3, 16, 16)


def test_a_failure_names_file_and_line(add_file: AddFile) -> None:
    add_file("broken", "import math\n\nmath.sqrt(-1)\n")
    discover()
    (problem,) = registry.REGISTRY.problems
    assert re.fullmatch(
        r"variants\.broken cannot be imported: ValueError: math .*broken\.py, line 3\)", problem
    )


@pytest.mark.parametrize("forward", ["def forward(self, image)", "def forward(self, a, b, c)"])
def test_a_network_that_takes_no_image_and_mask_is_refused_in_one_line(forward: str) -> None:
    from torch import nn

    code = f"class Odd(nn.Module):\n    {forward}: return a"
    names: dict[str, Any] = {"nn": nn}
    exec(code, names)
    method = Algorithm(
        name="odd", family="baseline", summary="", network=lambda model: names["Odd"]()
    )
    with pytest.raises(UserError, match=r"network of odd cannot be called as forward\(image, mask"):
        method.build(Model())


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5, 6, 7])
def test_mask_filters_of_any_side_make_a_variant(add_file: AddFile, side: int) -> None:
    lines = ["from variants.lbam import variant", f'variant("kernel", "", mask_kernel={side})']
    add_file("kernel", "\n".join(lines))
    import torch

    network = find("kernel").build(Model(width=4, depth=3))
    assert network(torch.rand(1, 3, 20, 37), torch.ones(1, 1, 20, 37)).shape == (1, 3, 20, 37)


@pytest.mark.parametrize("side", ["0", "-3", "2.5", "True", "'4'"])
def test_a_side_that_no_filter_has_is_the_files_own_error(add_file: AddFile, side: str) -> None:
    lines = ["from variants.lbam import variant", f'variant("kernel", "", mask_kernel={side})']
    add_file("kernel", "\n".join(lines))
    assert "full" in discover()
    with pytest.raises(UserError, match=r"mask_kernel is .*; it must be a whole number"):
        find("kernel")


def test_parameters_of_an_activation_of_ones_own_are_counted(add_file: AddFile) -> None:
    add_file("prelu", PLUGIN.format(name="prelu").replace("nn.Softplus()", "nn.PReLU()"))
    method, model = find("prelu"), Model(width=4, depth=3)
    built = sum(p.numel() for p in method.build(model).parameters())
    assert method.parameters(model) == built
    assert built == find("relu").parameters(model) + 5  # one slope a mask level


def test_a_duplicate_name_is_an_error_to_its_users_alone(add_file: AddFile) -> None:
    add_file("again", PLUGIN.format(name="forward"))
    assert "full" in discover() and "forward" not in discover()
    with pytest.raises(UserError, match=r"'forward' of variants\.again .* variants\.table2"):
        find("forward", "variant")


def test_without_the_papers_model_there_is_no_reference(add_file: AddFile) -> None:
    add_file("again", PLUGIN.format(name="full"))
    with pytest.raises(UserError, match=r"no method to compare with.*'full' of variants\.again"):
        registry.reference()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def f(:", "variants.broken cannot be imported: SyntaxError"),
        ("import sys; sys.exit(1)", "variants.broken cannot be imported: SystemExit: 1"),
        (PLUGIN.format(name="../../escape"), "UserError: method name '../../escape'"),
        (PLUGIN.format(name="x").replace("attention=", "atention="), "'atention'; did you mean"),
    ],
)
def test_a_broken_file_is_named_and_all_else_is_listed(
    add_file: AddFile, text: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    add_file("broken", text)
    assert "full" in listings.methods()
    assert told in caplog.text and "variants.broken" in caplog.text


def define(**fields: object) -> str:
    """The text of a file that registers the variant `mine`."""
    words = {"name": "mine", "family": "variant", "summary": "x", "network": "no.such:Thing"}
    named = ", ".join(f"{key}={value!r}" for key, value in (words | fields).items())
    return f"from bench.registry import TrainedNetwork, register\nregister(TrainedNetwork({named}"


def test_parameters_that_cannot_be_counted_are_a_dash(
    add_file: AddFile, caplog: pytest.LogCaptureFixture
) -> None:
    add_file("mine", define() + ", parameters=lambda model: 1 // 0))\n")
    row = next(line for line in listings.methods().splitlines() if line.startswith("| mine"))
    assert row.endswith("| -          |")
    assert "the parameters of mine cannot be counted: ZeroDivisionError" in caplog.text
    with pytest.raises(UserError, match="of mine cannot be counted"):
        find("mine").check(preset("quick"))


@pytest.mark.parametrize(
    ("network", "told"),
    [("no.such:Thing", "no.such cannot be"), ("math:Thing", "'math:Thing' leads nowhere")],
)
def test_a_network_that_is_not_there_is_named(add_file: AddFile, network: str, told: str) -> None:
    add_file("mine", define(network=network) + "))\n")
    with pytest.raises(UserError, match=told):
        find("mine").build(Model())


def test_a_family_that_there_is_not_is_refused(
    add_file: AddFile, caplog: pytest.LogCaptureFixture
) -> None:
    add_file("mine", define(family="variants") + "))\n")
    assert "mine" not in discover()
    assert "method 'mine' is of the family 'variants'; use variant or baseline" in caplog.text


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".hidden", "two words"])
def test_a_name_that_leads_out_of_its_folder_is_refused(name: str) -> None:
    from variants.lbam import variant

    with pytest.raises(UserError, match="method name"):
        variant(name, "")


def test_an_unknown_name_is_answered_with_the_nearest_of_its_family() -> None:
    with pytest.raises(UserError, match="unknown variant 'frward'; did you mean forward"):
        find("frward", "variant")
    with pytest.raises(UserError, match="'mean-colour' is a baseline, no variant; use --baseline"):
        find("mean-colour", "variant")


def test_the_reference_is_the_papers_model_whatever_else_changes_nothing(add_file: AddFile) -> None:
    add_file("a_copy", 'from variants.lbam import variant\n\nvariant("copy", "no change")\n')
    assert not find("copy").differs
    assert registry.reference().name == "full"
    assert [method.name for method in registry.floors()] == ["mean-colour"]


def test_the_three_kinds_of_methods() -> None:
    kinds = {name: type(method) for name, method in discover().items()}
    assert kinds["no-gan"] is kinds["pconv"] is TrainedNetwork
    assert kinds["patchmatch"] is Algorithm
    assert kinds["released"] is ImportedWeights


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("full", {"size": 96, "resize": 96}, "--size 96 is no multiple of 64: the critic's 6"),
        ("full", {"size": 64, "batch_size": 1}, "at least two images a process"),
        ("no-gan", {"size": 64, "depth": 6, "batch_size": 1}, "the bottleneck of --depth 6"),
        ("pconv", {"size": 64, "depth": 6, "batch_size": 1}, "the bottleneck of --depth 6"),
        ("global-local", {"size": 96, "resize": 96}, "no multiple of 64: Global&Local's"),
        ("global-local", {"size": 64, "batch_size": 1}, "at least two images a process"),
        ("contextual-attention", {"size": 80, "resize": 80}, "no multiple of 32"),
        ("no-gan", {"adversarial": 0.5}, "without effect on no-gan: --adversarial"),
        ("global-local", {"lr": 5.0}, "without effect on global-local: --lr"),
        ("pconv", {"critic_lr": 5.0, "hole": 2.0}, "without effect on pconv: --critic-lr, --hole"),
        ("global-local", {"width": 1}, "--width 1 is too narrow for Global&Local; use at least 2"),
        (
            "contextual-attention",
            {"width": 3},
            "too narrow for contextual attention; use at least 4",
        ),
        ("patchmatch", {"lr": 5.0}, "without effect on patchmatch: --lr"),
        ("patchmatch", {"ratio": (0.2, 0.3)}, "without effect on patchmatch: --ratio"),
    ],
)
def test_settings_that_a_method_cannot_use_are_refused(
    method: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        find(method).check(override(preset("quick"), options))


@pytest.mark.parametrize("name", [n for n in discover() if n != "released"])
@pytest.mark.parametrize("options", [{}, {"pairs": 3, "images": "bsds500"}])
def test_every_method_accepts_the_presets(name: str, options: dict[str, object]) -> None:
    find(name).check(override(preset("quick"), options))
    find(name).check(override(preset("paper"), options))


@pytest.mark.parametrize("size", [64, 96, 128])
def test_no_gan_and_pconv_train_at_any_size(size: int) -> None:
    for name in ("no-gan", "pconv"):
        find(name).check(override(preset("quick"), {"size": size}))


def test_a_batch_that_processes_cannot_share_is_refused() -> None:
    config = override(preset("quick"), {"batch_size": 6})
    find("full").check(config, processes=3)
    with pytest.raises(UserError, match="cannot be divided among 4"):
        find("full").check(config, processes=4)


def test_relevant_options_are_those_that_are_not_ignored() -> None:
    config = override(preset("quick"), {"lr": 5.0, "steps": 7, "pairs": 3})
    assert find("full").relevant(config) == config
    algorithm = find("telea").relevant(config)
    assert (algorithm.training, algorithm.data.pairs) == (preset("quick").training, 3)
    find("telea").check(algorithm)
    adadelta = find("global-local").relevant(config)
    assert (adadelta.training.lr, adadelta.training.steps) == (preset("quick").training.lr, 7)


def test_a_config_of_no_preset_has_the_defaults_to_compare_with() -> None:
    find("telea").check(Config("mine"))
    with pytest.raises(UserError, match="without effect on telea: --lr"):
        find("telea").check(override(Config("mine"), {"lr": 5.0}))


@pytest.mark.parametrize(
    "words", ["['list']", "['status', 'bench']", "['--help']", "['run', '--help']"]
)
def test_list_status_and_help_do_not_import_torch(words: str) -> None:
    code = (
        "import sys\nfrom bench.cli.parser import main\n"
        f"try:\n    main({words})\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'pandas', 'matplotlib', 'accelerate'} & set(sys.modules)"
    )
    root = Path(registry.__file__).parent.parent
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=root)
