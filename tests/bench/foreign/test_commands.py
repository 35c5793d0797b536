"""Commands that name a model file like any method."""

from __future__ import annotations

import dataclasses
import logging
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench import registry
from bench.cli.parser import main
from bench.config import override
from bench.core.files import read_json
from bench.exporting.formats import FORMATS, write
from bench.foreign.method import find
from bench.presets import preset
from bench.runs.experiment import inputs_of
from bench.runs.measurement import Bench
from bench.runs.run import Run as RunOf
from tests.bench.conftest import Run
from tests.bench.exporting.test_formats import network
from tests.bench.foreign.conftest import onnx_file

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
DATA = ("--size", 64, "--resize", 88, "--pairs", 1, "--lpips", "off")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs that has its photographs decoded, with a run of an algorithm."""
    folder = tmp_path_factory.mktemp("runs")
    words = ["run", "--baseline", "telea", *DATA, "--out", folder]
    assert main([str(word) for word in words]) == 0
    return folder


@pytest.fixture
def grey(root: Path, pipeline: Path, tmp_path: Path) -> str:
    """A model that fills holes with grey, and whose file a test may change."""
    file = Path(shutil.copy(pipeline, tmp_path / "grey.onnx"))
    shutil.rmtree(root / "grey-quick", ignore_errors=True)
    return f"onnx:{file}:range=uint8"


def save_picture(folder: Path) -> np.ndarray:
    """Save a plain picture and a mask with a hole in white, and return the mask."""
    mask = np.zeros((37, 50), np.uint8)
    mask[10:20, 10:20] = 255
    Image.fromarray(np.full((37, 50, 3), 200, np.uint8)).save(folder / "i.png")
    Image.fromarray(mask).save(folder / "m.png")
    return mask


def test_a_model_file_is_run_skipped_and_known_again_when_it_changed(
    run: Run, root: Path, grey: str, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["run", "--baseline", grey, *DATA, "--out", root]
    code, out, err = run(*words)
    assert code == 0 and "| grey " in out and "| mean-colour" in out, err
    assert re.search(r"Its model was not trained here: onnx [0-9a-f]{16}:range=uint8", out)
    made = RunOf(root / "grey-quick")
    assert "onnx" in made.read_identity()["code"] and not made.trained
    with caplog.at_level(logging.INFO, "bench"):
        assert run(*words)[0] == 0 and "is finished; skipped" in caplog.text
    onnx_file(Path(grey.split(":")[1]), "UINT8", 127, None)
    code, _, err = run(*words)
    assert code == 2 and "finished run with other settings: code: " in err
    registry.REGISTRY._items.pop("grey")  # as in a process that was given no file
    code, _, err = run("evaluate", "--run", made.path, "--out", root)
    assert code == 2 and "grey is of a model that was not trained here (onnx " in err
    registry.register(dataclasses.replace(registry.find("telea"), name="grey"))  # a plug-in, say
    code, _, err = run("evaluate", "--run", made.path, "--out", root)
    assert code == 2 and "another method is called grey here" in err


@pytest.mark.slow
def test_a_model_file_stands_in_the_tables_of_comparison_and_report(
    run: Run, root: Path, grey: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.profiling.cost.of_run", lambda run: None)
    code, out, err = run("compare", "--methods", f"telea,{grey}", *DATA, "--out", root)
    rows = [line.split()[1] for line in out.splitlines() if line.startswith("| ")]
    assert code == 0 and rows[1:4] == ["telea", "mean-colour", "grey"], err
    _, entry = read_json(root / "comparison" / "sweep.json")["runs"]
    assert entry["method"] == "grey" and f"--baseline {grey}" in shlex.join(entry["words"])
    del registry.REGISTRY._items["grey"]  # as in another process
    picture = ["--image", tmp_path / "i.png", "--mask", tmp_path / "m.png"]
    save_picture(tmp_path)
    code, out, err = run("report", "--out", root, *picture)
    assert code == 0 and out.count("(settings ") == 1 and "| grey" in out, err
    assert not (root / "report" / "ablation").exists()  # it is one of the baselines
    assert not (root / "report" / "removal" / "grey.png").exists()
    code, _, err = run("inpaint", "--run", root / "grey-quick", *picture, "--out", "o.png")
    assert code == 2 and "is of a model that was not trained here (onnx " in err
    assert "uint8); name that by --baseline KIND:FILE" in err


def test_two_files_of_one_name_are_no_one_method(
    run: Run, root: Path, grey: str, pipeline: Path
) -> None:
    other = f"onnx:{pipeline}:range=uint8:name=grey"
    code, _, err = run("compare", "--methods", f"{grey},{other}", *DATA, "--out", root)
    assert code == 2 and "another method is called grey; choose a name by :name=NAME" in err


def test_a_model_file_fills_a_picture(
    run: Run, root: Path, grey: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mask = save_picture(tmp_path)
    words = ["--image", tmp_path / "i.png", "--mask", tmp_path / "m.png", "--out"]
    code, _, err = run("inpaint", "--baseline", grey, *words, tmp_path / "o.png")
    filled = np.asarray(Image.open(tmp_path / "o.png"))
    assert code == 0 and (filled[mask > 0] == 128).all() and (filled[mask == 0] == 200).all(), err
    assert run("run", "--baseline", grey, *DATA, "--out", root)[0] == 0
    with caplog.at_level(logging.WARNING, "bench"):  # no training was too short: there was none
        assert run("inpaint", "--run", root / "grey-quick", *words, tmp_path / "p.png")[0] == 0
    assert not caplog.text and (np.asarray(Image.open(tmp_path / "p.png")) == filled).all()


def test_a_wrong_convention_is_refused_before_anything_is_written(
    run: Run, grey: str, tmp_path: Path
) -> None:
    words = ["run", "--baseline", f"{grey}:polarity=hole-white", *DATA, "--out", tmp_path / "runs"]
    code, _, err = run(*words)
    assert code == 2 and "would be with polarity=hole-black" in err and err.count("\n") == 1
    assert not (tmp_path / "runs" / "grey-quick").exists()


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("form", ["torchscript", pytest.param("onnx", marks=pytest.mark.slow)])
def test_the_suites_own_files_give_the_records_of_their_network(
    form: str, root: Path, tmp_path: Path
) -> None:
    data: dict[str, Any] = {"size": 64, "resize": 88, "pairs": 1, "lpips": "off"}
    config = override(preset("quick"), data)
    method, built = find("full"), network("full")
    write(built, form, tmp_path)
    exported = find(f"{form}:{tmp_path / FORMATS[form].file}:name=exported")
    bench = Bench.prepare(config, inputs_of(config, root))
    own, other = (
        bench.records(m, n, mark="")
        for m, n in ((method, built), (exported, exported.build(config.model)))
    )
    # The file keeps the known pixels itself, so that its raw output is the composite.
    both = own.merge(other, on=["pair", "metric", "region"]).query("region != 'raw'")
    assert len(both) == (own["region"] != "raw").sum() > 0
    pd.testing.assert_series_equal(both["value_x"], both["value_y"], check_names=False)
