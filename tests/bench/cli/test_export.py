"""`python -m bench export`: a folder that says what it is, and how to use it."""

import json
import platform
import re
import shlex
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from bench.cli.parser import main
from bench.core.errors import UserError
from bench.exporting import formats
from bench.registry import find
from tests.bench.cli.test_cli import hole, picture
from tests.bench.conftest import Run
from tests.conftest import TINY

SMALL = [*TINY, "--pairs", "1", "--lpips", "off"]
ALGORITHM = ["--pairs", "1", "--size", "64", "--resize", "88", "--lpips", "off"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on photographs of a folder; tests leave it as it is."""
    root = tmp_path_factory.mktemp("exported")
    for number in range(30):
        picture(root / "photographs" / f"{number}.png", 88, 88, number)
    images = ["--images", str(root / "photographs")]
    words = ["run", "--variant", "forward", *SMALL, *images, "--out", str(root / "runs")]
    assert main(words) == 0
    return root / "runs" / "forward-quick-seed0"


@pytest.fixture(scope="module")
def exported(trained: Path) -> Path:
    """The run, exported with TorchScript."""
    to = trained.parent.parent / "model"
    words = ["export", "--run", str(trained), "--to", str(to), "--format", "torchscript"]
    assert main(words) == 0
    return to


def test_the_layout_is_that_of_a_model_repository(exported: Path, trained: Path) -> None:
    names = sorted(path.name for path in exported.iterdir())
    assert names == ["README.md", "config.json", "model.safetensors", "model.ts"]
    assert exported.stat().st_mode & 0o777 == trained.stat().st_mode & 0o777
    weights = trained / "weights.safetensors"
    assert (exported / "model.safetensors").read_bytes() == weights.read_bytes()
    config = json.loads((exported / "config.json").read_text())
    assert (config["method"], config["model"]["width"]) == ("forward", 4)
    assert "hole black" in config["inputs"]["image"] and "1 = known" in config["inputs"]["mask"]
    assert config["outputs"].keys() == {"model.safetensors", "model.ts"}


def test_the_card_tells_the_run_and_no_machine(exported: Path, trained: Path) -> None:
    card = (exported / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: lbam-bench\n") and "\nlicense:" not in card
    table = (trained / "table.md").read_text()
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert rows and all(row in card for row in rows)
    mark = re.search(r"fingerprint (\w+)", table)
    environment = json.loads((trained / "environment.json").read_text())
    assert mark and f"fingerprint {mark[1]}, seed 0" in card
    assert environment["commit"] in card and torch.__version__.partition("+")[0] in card
    assert card.index("Quick preset") < card.index("| method")
    assert "| `--images` | folder |" in card and "| `--steps` | 6 |" in card
    for text in (card, (exported / "config.json").read_text()):
        assert str(trained.parent.parent) not in text and platform.node() not in text
    assert str(trained.parent.parent) in table  # or the line before would prove nothing


def test_the_cards_examples_work(
    run: Run, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```(\w*)\n(.*?)```", (exported / "README.md").read_text(), re.S)
    monkeypatch.chdir(exported)
    image, mask = torch.rand(1, 3, 40, 70), torch.ones(1, 1, 40, 70)
    mask[..., 10:20, 30:50] = 0
    filled = []
    for _, code in (block for block in blocks if block[0] == "python"):
        names = {"image": image, "mask": mask}
        exec(code, names)
        filled.append(names["filled"])
    assert len(filled) == 2
    torch.testing.assert_close(filled[0], filled[1])
    (command,) = [text for language, text in blocks if not language]
    picture(tmp_path / "image.png", 40, 70)
    hole(tmp_path / "mask.png", 40, 70)
    words = shlex.split(command.strip().removeprefix("python -m bench "))
    places = [str(tmp_path / w) if w.endswith(".png") else w for w in words]
    assert run(*places)[0] == 0
    assert Image.open(tmp_path / "filled.png").size == (70, 40)


def test_the_weights_fit_what_the_config_builds(exported: Path) -> None:
    from bench.config import Model

    config = json.loads((exported / "config.json").read_text())
    built = find(config["method"]).build(Model(**config["model"]))
    built.load_state_dict(load_file(exported / "model.safetensors"))


def test_a_format_that_fails_leaves_nothing(
    run: Run, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(network: object, name: str, folder: Path) -> float:
        (folder / "model.ts").write_text("half")
        raise UserError(f"--format {name}: no")

    monkeypatch.setattr(formats, "write", fail)
    to = tmp_path / "model"
    code, _, err = run("export", "--run", trained, "--to", to, "--format", "torchscript")
    assert (code, err) == (2, "error: --format torchscript: no\n")
    assert not any(tmp_path.iterdir())


def test_an_empty_folder_is_taken_and_a_full_one_refused(
    run: Run, trained: Path, tmp_path: Path
) -> None:
    to = tmp_path / "model"
    to.mkdir()
    assert run("export", "--run", trained, "--to", to)[0] == 0
    code, _, err = run("export", "--run", trained, "--to", to)
    assert (code, err) == (
        2, f"error: --to {to} exists and is no empty folder; choose another\n"
    )  # fmt: skip


def test_mistakes_are_one_line(run: Run, trained: Path, tmp_path: Path) -> None:
    runs = trained.parent
    assert run("run", "--baseline", "telea", *ALGORITHM, "--out", tmp_path)[0] == 0
    to = tmp_path / "model"
    for words, what in (
        (["--run", runs / "nothing"], "is not a run"),
        (["--run", tmp_path / "telea-quick"], "telea is an algorithm and has no weights"),
        (["--run", trained, "--format", "onx"], "unknown format 'onx'; did you mean onnx?"),
        (["--run", trained, "--format", "pt2,"], "--format 'pt2,' lacks a name"),
    ):
        code, _, err = run("export", *words, "--to", to)
        assert code == 2 and what in err and err.count("\n") == 1, err
    assert not to.exists()
