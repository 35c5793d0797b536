"""`python -m bench evaluate --outputs`: pictures of another program measured like a method."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.core.files import read_json
from bench.runs.run import Run as RunOf
from tests.bench.cli.test_cli import hole, picture
from tests.bench.conftest import Run

DATA = ("--size", 64, "--resize", 88)
PAIRS = 8


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of 8 pairs, in a folder of runs that has their photographs decoded."""
    from bench.cli.parser import main

    root = tmp_path_factory.mktemp("exported")
    words = ["pairs", "export", "--to", root / "pairs", *DATA, "--pairs", 2, "--out", root]
    assert main([str(word) for word in words]) == 0
    return root / "pairs"


@pytest.fixture
def filled(exported: Path, tmp_path: Path) -> Path:
    """The exported pairs filled by OpenCV, by no code of the suite."""
    folder = tmp_path / "filled"
    folder.mkdir()
    for image in sorted((exported / "images").iterdir()):
        mask = cv2.imread(str(exported / "masks" / image.name), cv2.IMREAD_GRAYSCALE)
        output = cv2.inpaint(cv2.imread(str(image)), mask, 3, cv2.INPAINT_TELEA)
        cv2.imwrite(str(folder / image.name), output)
    return folder


@pytest.fixture
def evaluate(run: Run, exported: Path, filled: Path, tmp_path: Path) -> Callable[..., object]:
    """Exit code, output and error of an evaluation of the filled pictures."""

    def call(*words: object, name: str = "mine", outputs: Path = filled) -> tuple[int, str, str]:
        given = ["--outputs", outputs, "--name", name, *DATA, "--out", tmp_path / "runs"]
        return run("evaluate", *given, "--manifest", exported / "pairs.json", *words)

    return call


Evaluate = Callable[..., tuple[int, str, str]]


def run_of(tmp_path: Path, name: str = "mine") -> RunOf:
    (path,) = (tmp_path / "runs").glob(f"{name}-quick-outputs-*")
    return RunOf(path)


def change(folder: Path, *changes: Callable[[np.ndarray], np.ndarray]) -> None:
    """Save the pictures of a folder as the changes make them, the first ones first."""
    for path, make in zip(sorted(folder.iterdir()), changes, strict=False):
        Image.fromarray(np.ascontiguousarray(make(np.asarray(Image.open(path))))).save(path)


def records(run: RunOf) -> pd.DataFrame:
    frame = pd.read_csv(run.records, dtype=str, keep_default_na=False)
    frame = frame[frame["method"] == run.method]
    return frame.drop(columns=["method", "fingerprint", "seconds"]).reset_index(drop=True)


def test_outputs_stand_in_the_table_of_a_sweep_on_the_same_pairs(
    run: Run, evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.profiling.cost.of_run", lambda run: None)
    assert evaluate()[0] == 0
    words = ["compare", "--methods", "telea", *DATA, "--out", tmp_path / "runs"]
    code, out, _ = run(*words, "--pairs", 2)
    rows = [line.split()[1] for line in out.splitlines() if line.startswith("| ")]
    assert code == 0 and rows[1:4] == ["telea", "mean-colour", "mine"]
    assert "| mine" not in run(*words, "--pairs", 1)[1]


def test_outputs_have_the_numbers_that_the_method_itself_has(
    run: Run, evaluate: Evaluate, tmp_path: Path
) -> None:
    code, out, err = evaluate()
    assert code == 0 and "| mine" in out and "| mean-colour" in out and "check outputs" in err
    words = ["run", "--baseline", "telea", *DATA, "--pairs", 2, "--out", tmp_path / "runs"]
    assert run(*words)[0] == 0
    own, given = RunOf(tmp_path / "runs" / "telea-quick"), run_of(tmp_path)
    assert len(records(given)) == PAIRS * records(given)[["metric", "region"]].value_counts().size
    pd.testing.assert_frame_equal(records(own), records(given))
    assert pd.read_csv(given.records).query("method == 'mine'")["seconds"].isna().all()
    for pair in own.pictured:
        one, other = (r.pictures.file(pair, "output").read_bytes() for r in (own, given))
        assert one == other
    # One table has both, and so have status and pack.
    code, out, _ = run("report", "--out", tmp_path / "runs")
    assert code == 0 and out.count("(settings ") == 1
    table = out.partition("**SSIM")[0]
    assert "| mine" in table and "| telea" in table
    assert "outputs come from a folder: 8 PNG" in out and "changed 0.0% of the known" in out
    assert run("status", tmp_path / "runs")[0] == 0
    assert run("pack", tmp_path / "runs", "--out", tmp_path / "s.zip")[0] == 0
    code, out, _ = run("report", tmp_path / "s.zip", "--out", tmp_path / "elsewhere")
    assert code == 0 and "| mine" in out
    study = ["study", "make", "--runs", tmp_path / "runs", "--to", tmp_path / "s"]
    assert "mine, telea" in run(*study, "--questions", 4)[1]


def test_the_same_outputs_are_skipped_and_others_need_redo(
    evaluate: Evaluate, filled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert evaluate()[0] == 0
    before = run_of(tmp_path).records.stat().st_mtime_ns
    moved = filled.rename(tmp_path / "moved")  # neither place nor LaMa's names are the content
    for path in sorted(moved.iterdir()):
        path.rename(path.with_stem(f"{path.stem}_mask"))
    assert evaluate(outputs=moved)[0] == 0 and "is finished; skipped" in caplog.text
    assert run_of(tmp_path).records.stat().st_mtime_ns == before
    shutil.rmtree(run_of(tmp_path).pictures.own)
    assert evaluate(outputs=moved)[0] == 0 and "its pictures are made again" in caplog.text
    assert not run_of(tmp_path).lacks_pictures()
    change(moved, lambda pixels: pixels ^ 1)
    code, _, err = evaluate(outputs=moved)
    assert code == 2 and "with other settings: outputs:" in err and "--redo" in err
    assert evaluate("--redo", outputs=moved)[0] == 0
    assert run_of(tmp_path).records.stat().st_mtime_ns != before


def test_changed_known_pixels_are_measured_and_composited_over(
    evaluate: Evaluate, exported: Path, filled: Path, tmp_path: Path
) -> None:
    assert evaluate()[0] == 0
    exact = records(run_of(tmp_path))
    known = [np.asarray(Image.open(exported / "masks" / p.name)) == 0 for p in filled.iterdir()]
    for path, where in zip(filled.iterdir(), known, strict=True):
        pixels = np.asarray(Image.open(path)).copy()
        pixels[where] ^= 2  # by two levels in all three channels
        Image.fromarray(pixels).save(path)
    code, out, _ = evaluate(name="off")
    assert code == 0 and "They changed 100.0% of the known pixels, by 2.00 levels" in out
    facts = run_of(tmp_path, "off").outputs
    assert (facts["known pixels changed"], facts["known pixels differ by"]) == (1.0, 2.0)
    off = records(run_of(tmp_path, "off"))
    raw = exact["region"] == "raw"
    pd.testing.assert_frame_equal(exact[~raw], off[~raw])
    assert (exact[raw]["value"] != off[raw]["value"]).any()


def test_jpeg_is_measured_only_when_asked_and_told(
    evaluate: Evaluate, filled: Path, tmp_path: Path
) -> None:
    for path in sorted(filled.iterdir())[:3]:
        Image.open(path).save(path.with_suffix(".jpg"), quality=90)
        path.unlink()
    code, _, err = evaluate()
    assert code == 2 and "00000.jpg is JPEG" in err and "--lossy" in err
    code, out, _ = evaluate("--lossy")
    assert code == 0 and "from a folder: 3 JPEG, 5 PNG" in out
    assert run_of(tmp_path).outputs["formats"] == {"JPEG": 3, "PNG": 5}


def test_conversions_are_told(evaluate: Evaluate, filled: Path) -> None:
    change(filled, lambda pixels: np.dstack([pixels, pixels[..., 0] * 0 + 255]))
    code, out, _ = evaluate()
    assert code == 0 and "8 PNG (1 opaque alpha dropped)" in out


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([lambda p: p * 0], "00000.png is of one single colour"),
        ([np.array, lambda p: p * 0 + 255], "00001.png is of one single colour; 1 of 8"),
        ([lambda p: (p > 90).astype(np.uint8)], "00000.png has no value above 1"),
        ([lambda p: 255 - p] * PAIRS, "00000.png is inverted; 8 of 8 outputs look wrong"),
        ([lambda p: p[..., ::-1]] * PAIRS, "has red and blue exchanged: it was saved as BGR; 8"),
        ([np.array, lambda p: p[:32]], "00001.png is 64x32, and the test pairs are 64x64"),
        ([lambda p: np.rot90(p, 2)] * PAIRS, "known pixels of"),
    ],
)
def test_pictures_that_were_saved_wrongly_are_refused(
    evaluate: Evaluate,
    filled: Path,
    tmp_path: Path,
    changes: list[Callable[[np.ndarray], np.ndarray]],
    told: str,
) -> None:
    change(filled, *changes)
    code, _, err = evaluate()
    assert code == 2 and told in err.splitlines()[-1]
    assert not list((tmp_path / "runs").glob("mine*"))


def test_the_inputs_are_no_outputs(evaluate: Evaluate, exported: Path) -> None:
    code, _, err = evaluate(outputs=exported / "images")
    assert code == 2 and "all holes in" in err and "not that of the inputs" in err


def test_mistakes_are_one_line(
    run: Run, evaluate: Evaluate, exported: Path, filled: Path, tmp_path: Path
) -> None:
    given = ["evaluate", "--outputs", filled]
    for words, told in {
        (*given,): "--outputs needs --name",
        (*given, "--name", "mine", "--run", tmp_path): "--outputs and --run: give only one",
        (*given, "--name", "mine", "--baseline", "telea"): "--outputs and --baseline: give only",
        (*given, "--name", "telea"): "a method of the suite has this name",
        (*given, "--name", "a/b"): "letters, digits",
        ("evaluate", "--run", tmp_path, "--lossy"): "--lossy has no effect without --outputs",
    }.items():
        code, _, err = run(*words, "--out", tmp_path / "runs")
        assert code == 2 and told in err.splitlines()[-1], words
    code, _, err = evaluate("--width", 8)
    assert code == 2 and "without effect on mine: --width" in err
    (filled / "00003.png").unlink()
    code, _, err = evaluate()
    assert code == 2 and "lacks 00003.png of 8 pictures" in err
    assert not list((tmp_path / "runs").glob("mine*"))


def test_a_run_of_outputs_fills_nothing_else(run: Run, evaluate: Evaluate, tmp_path: Path) -> None:
    assert evaluate()[0] == 0
    given = run_of(tmp_path)
    image, mask = picture(tmp_path / "i.png", 40, 40), hole(tmp_path / "m.png", 40, 40)
    words = ["--image", image, "--mask", mask]
    code, _, err = run("inpaint", "--run", given.path, *words, "--out", tmp_path / "o.png")
    assert code == 2 and "has outputs from elsewhere and no network; `evaluate --outputs`" in err
    # A report fills the picture by all other runs.
    telea = ["run", "--baseline", "telea", *DATA, "--pairs", 2, "--out", tmp_path / "runs"]
    assert run(*telea)[0] == 0
    assert run("report", "--out", tmp_path / "runs", *words)[0] == 0
    removal = tmp_path / "runs" / "report" / "removal"
    assert {path.name for path in removal.iterdir()} == {"input.png", "telea.png", "removal.png"}
    shutil.rmtree(given.pictures.own)
    code, out, err = run("report", "--out", tmp_path / "runs")
    assert code == 0 and "| mine" in out and "no pictures of mine" in err
    assert read_json(given.identity)["outputs"]["digest"]
