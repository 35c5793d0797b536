"""`python -m bench evaluate`: results on other test pairs are runs that all commands find."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import bench
from bench.cli.parser import build_parser, main
from bench.core.files import write_json
from bench.core.sums import FILE
from bench.runs.run import Run as RunOf
from tests.bench.cli.test_damage import cut, flip
from tests.bench.conftest import Run
from tests.conftest import TINY

PAIRS = ["--test-masks", "strokes", "--lpips", "off", "--pairs", "1"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny trained run, its evaluation and that of an algorithm."""
    root = tmp_path_factory.mktemp("runs")
    out = ["--out", str(root)]
    assert main(["run", "--variant", "forward", *TINY, "--lpips", "off", *out]) == 0
    trained = str(root / "forward-quick-seed0")
    assert main(["evaluate", "--run", trained, *PAIRS, *out]) == 0
    size = ["--size", "64", "--resize", "88"]
    assert main(["evaluate", "--baseline", "mean-colour", *PAIRS, *size, *out]) == 0
    return root


def evaluations(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob("[!.]*-on-*"))


def test_all_commands_find_them(run: Run, runs: Path, tmp_path: Path) -> None:
    names = evaluations(runs)
    assert len(names) == 2 and names[0].startswith("forward-quick-on-sample-")
    code, out, _ = run("status", runs)
    assert code == 0 and all(f"| {name}" in out for name in names)
    code, _, err = run("pack", runs, "--out", tmp_path / "all.zip")
    assert code == 0, err
    loaded = bench.load(tmp_path / "all.zip")
    assert loaded.records["manifest"].nunique() == 2
    pairs = [len(rows["pair"].unique()) for _, rows in loaded.records.groupby("settings")]
    assert sorted(pairs) == [4, 8]
    code, out, _ = run("clean", runs)
    assert code == 0 and "-on-" not in out
    study = [
        "study",
        "make",
        "--runs",
        *(runs / name for name in names),
        "--to",
        tmp_path / "study",
    ]
    assert run(*study, "--questions", 2)[0] == 0


def test_one_that_fails_stops_no_other(run: Run, runs: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged" / "forward-quick-seed0"
    shutil.copytree(runs / "forward-quick-seed0", damaged)
    (damaged / "config.json").write_text("{}")
    words = ["evaluate", "--run", damaged, runs / "forward-quick-seed0", *PAIRS]
    code, out, err = run(*words, "--out", tmp_path)
    assert code == 2 and "## forward: forward-quick-on-sample-" in out
    told = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(told) == 1 and "config.json" in told[0] and told[0].count(str(damaged)) == 1
    assert len(evaluations(tmp_path)) == 1


def test_every_method_that_is_named_is_measured() -> None:
    from bench.cli.evaluate import _works

    args = build_parser()[0].parse_args(
        ["evaluate", "--baseline", "telea", "--baseline", "mean-colour", "biharmonic"]
    )
    assert list(_works(args)) == ["telea", "mean-colour", "biharmonic"]


def test_a_folder_that_is_no_run_is_refused_before_another_is_measured(
    run: Run, runs: Path, tmp_path: Path
) -> None:
    words = ["evaluate", "--run", runs / "forward-quick-seed0", tmp_path / "nothing", *PAIRS]
    code, _, err = run(*words, "--out", tmp_path)
    assert code == 2 and "nothing is not a run; give a folder" in err
    assert not evaluations(tmp_path)


@pytest.mark.parametrize(
    ("name", "damage", "advice"),
    [
        ("config.json", flip, "with --redo"),
        ("environment.json", Path.unlink, "with --redo"),
        ("identity.json", flip, "with --redo"),
        ("state.json", cut, "with --redo"),
        (FILE, Path.unlink, "with --redo"),
        ("records.csv", cut, "makes it again"),
        ("manifest.json", Path.unlink, "makes it again"),
    ],
)
def test_the_advice_repairs_a_damaged_evaluation(
    run: Run, runs: Path, tmp_path: Path, name: str, damage: Callable[[Path], None], advice: str
) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    made = next((tmp_path / "runs").glob("forward-*-on-*"))
    damage(made / name)
    code, _, err = run("pack", made, "--out", tmp_path / "pack.zip")
    assert code == 2 and f"{made / name} " in err
    assert "the command that made the run" in err and err.endswith(f"{advice}\n")
    words = ["evaluate", "--run", made.parent / "forward-quick-seed0", *PAIRS, "--out", made.parent]
    assert run(*words, *(["--redo"] if "--redo" in advice else []))[0] == 0
    assert RunOf(made).progress == "finished" and RunOf(made).damaged() == {}


@pytest.mark.parametrize("name", ["state.json", "identity.json", "manifest.json"])
def test_a_run_that_cannot_be_evaluated_says_what_to_do(
    run: Run, runs: Path, tmp_path: Path, name: str
) -> None:
    made = next(runs.glob("forward-*-on-*"))
    damaged = Path(shutil.copytree(made, tmp_path / made.name))
    cut(damaged / name)
    for words in (["evaluate", "--run", damaged], ["export", "--run", damaged, "--to", "x"]):
        code, _, err = run(*words, *(["--out", tmp_path / "out"] if "evaluate" in words else []))
        assert code == 2 and f"{damaged / name} " in err and "the command that made the run" in err


@pytest.mark.slow
def test_a_report_joins_data_sets_and_removes_an_object(
    run: Run, runs: Path, tmp_path: Path
) -> None:
    from tests.bench.cli.test_cli import hole, picture

    image, mask = picture(tmp_path / "i.png", 40, 40), hole(tmp_path / "m.png", 40, 40)
    code, out, err = run("report", runs, "--image", image, "--mask", mask, "--out", tmp_path)
    assert code == 0, err
    ablation = tmp_path / "report" / "ablation"
    table = (ablation / "datasets.md").read_text()
    assert table in out and "sample, masks strokes, 4 pairs n=4" in table
    pages = [path.read_text() for path in ablation.glob("*/report.html")]
    assert len(pages) == 2 and all(">Data sets</h2>" in page for page in pages)
    assert "## sample, 64 px, masks strokes, 4 pairs (settings " in out
    filled = {path.name for path in (tmp_path / "report" / "removal").iterdir()}
    assert {"forward.png", "mean-colour.png"} <= filled


def test_object_removal_leaves_out_models_whose_file_a_run_does_not_hold(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from bench.cli.report import _to_fill

    own, model = (RunOf(tmp_path / name) for name in ("forward-quick-seed0", "model"))
    for copy in (own, model):
        shutil.copytree(runs / "forward-quick-seed0", copy.path)
    write_json(model.identity, {"method": "model", "code": "c, onnx d", "test pairs": "p"})
    assert _to_fill([model, own]) == [own]
    assert "leaves out what was made elsewhere: model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "say what to measure: --run DIR"),
        (
            ["--variant", "full"],
            "full is measured with weights: give --run DIR alone, or --variant",
        ),
        (["--run", "a", "--variant", "full"], "full is measured with weights"),
        (["--baseline", "telea", "--weights", "w"], "telea has no weights; leave out --weights"),
        (["--run", "a", "b", "--weights", "w"], "--weights goes with one --run"),
        (["--run", "a", "--width", "8"], "--width has no effect with --run"),
        (["--run", "a", "--margins", "x"], "margins"),
        (["--variant", "full", "--weights", "none.pth"], "no weights file none.pth"),
        (["--run", "a", "--lossy"], "--lossy has no effect without --outputs"),
    ],
)
def test_mistakes_are_one_line(run: Run, tmp_path: Path, words: list[str], told: str) -> None:
    code, _, err = run("evaluate", *words, "--out", tmp_path)
    line = err.splitlines()[-1]
    assert code == 2 and line.startswith("error: ") and told in line
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
