"""The Python interface: its documented examples, and a notebook that uses all of it."""

from __future__ import annotations

import doctest
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import bench
from bench import interface
from bench.cli.parser import main
from bench.config import override
from bench.core import sums
from bench.core.errors import UserError
from bench.presets import preset
from bench.registry import find
from bench.runs import experiment
from bench.runs.case import Case
from bench.runs.run import Run
from bench.sweeps.sweep import Sweep
from reports import build
from tests.bench.cli.test_sweep_report import finish

ROOT = Path(__file__).parents[2]
TINY: dict[str, Any] = {"size": 64, "resize": 88, "pairs": 1, "lpips": "off", "pictures": "none"}
WORDS = [word for k, v in TINY.items() for word in (f"--{k}", str(v))]
NETWORK: dict[str, Any] = {
    "width": 4, "depth": 4, "critic_width": 4, "steps": 2, "batch_size": 2, "validation_pairs": 1,
    "precision": "fp32",
}  # fmt: skip


def telea(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.inpaint(image, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA))


def picture(height: int = 37, width: int = 50) -> tuple[np.ndarray, np.ndarray]:
    hole = np.zeros((height, width), bool)
    hole[10:20, 5:30] = True
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8), hole


def test_the_documented_examples_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    for name in ("methods", "run", "load", "inpaint", "evaluate"):
        (example,) = finder.find(getattr(bench, name), name, globs={})
        assert example.examples
        assert runner.run(example).failed == 0


def test_the_readmes_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = doctest.DocTestParser().get_doctest(
        text.split("```pycon\n")[1].split("```")[0], {}, "README", "README.md", 0
    )
    assert found.examples
    assert doctest.DocTestRunner().run(found).failed == 0


def test_importing_it_imports_no_library() -> None:
    code = "import sys; old = {*sys.modules}; import bench; print({*sys.modules} - old)"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "{'bench'}\n"


def test_a_notebook(tmp_path: Path) -> None:
    """Look at the methods, train one, fill a picture, measure a function, load the results."""
    names = bench.methods().set_index("name")
    assert names.loc["forward", "kind"] == "trained" and names.loc["forward", "parameters"] > 1e6
    trained = bench.run("forward", out=tmp_path, seed=1, **TINY, **NETWORK)
    assert trained.path.name == "forward-quick-seed1" and "PSNR" in trained._repr_markdown_()
    image, hole = picture()
    filled = bench.inpaint(image, hole, run=trained)
    assert (filled[~hole] == image[~hole]).all() and (filled[hole] != image[hole]).any()
    measured = bench.evaluate(telea, trained.path / "manifest.json", out=tmp_path, lpips="off")
    results = bench.load(tmp_path)
    assert set(results.records["method"]) == {"forward", "mean-colour"}
    assert set(measured["manifest"]) == set(results.records["manifest"])


def test_command_line_and_python_make_the_same_run(
    tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    first = bench.run("telea", out=tmp_path, **TINY).path / "records.csv"
    made = first.stat().st_mtime_ns
    assert run("run", "--baseline", "telea", "--out", tmp_path, *WORDS)[0] == 0
    assert first.stat().st_mtime_ns == made
    assert run("run", "--baseline", "telea", "--name", "other", "--out", tmp_path, *WORDS)[0] == 0
    second = tmp_path / "telea-quick-other" / "records.csv"
    made = second.stat().st_mtime_ns
    assert bench.run("telea", out=str(tmp_path), name="other", **TINY).path == second.parent
    assert second.stat().st_mtime_ns == made


def test_a_function_is_measured_as_a_method_is(tmp_path: Path) -> None:
    made = bench.run("telea", out=tmp_path, **{**TINY, "pairs": 3})
    same = ["pair", "image", "mask_hash", "metric", "region", "value", "metric_version", "manifest"]
    expected = made.records.query("method == 'telea'")[same].astype(object).reset_index(drop=True)
    found = bench.evaluate(telea, made.path / "manifest.json", out=tmp_path, lpips="off")
    pd.testing.assert_frame_equal(found[same].astype(object), expected, check_exact=True)


def test_a_function_sees_no_hole_and_must_return_a_picture(tmp_path: Path) -> None:
    seen = []

    def look(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
        seen.append(int(image[hole].max()))
        return image / 255

    bench.evaluate(look, out=tmp_path, **TINY)
    assert seen and max(seen) == 0
    with pytest.raises(UserError, match="the function returned NoneType"):
        bench.evaluate(lambda image, hole: None, out=tmp_path, **TINY)  # type: ignore[arg-type, return-value]
    with pytest.raises(UserError, match="output has values from 0 to"):
        bench.evaluate(lambda image, hole: image * 1.0, out=tmp_path, **TINY)


def test_the_options_are_those_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="without effect on telea: --steps"):
        bench.run("telea", out=tmp_path, steps=3)
    with pytest.raises(UserError, match="unknown option 'sede'"):
        bench.run("telea", out=tmp_path, sede=3)
    with pytest.raises(UserError, match="is not trained"):
        bench.run("released", out=tmp_path)
    assert not [*tmp_path.iterdir()]


def test_damaged_runs_are_warned_of(tmp_path: Path) -> None:
    bench.run("telea", out=tmp_path, **TINY)
    other = bench.run("navier-stokes", out=tmp_path, **TINY)
    (other.path / "records.csv").write_text("nothing")
    with pytest.warns(UserWarning, match=r"left out: .*navier-stokes-quick/records.csv"):
        results = bench.load(tmp_path)
    assert "navier-stokes" not in set(results.records["method"])


def test_frames_of_two_methods_are_compared(tmp_path: Path) -> None:
    bench.run("full", out=tmp_path, **TINY, **NETWORK)
    bench.run("telea", out=tmp_path, cost=True, **TINY)
    results = bench.load(tmp_path)
    assert set(results.costs["method"]) == {"telea"}
    assert [frame["settings"].nunique() for frame in results] == [1, 1, 1, 1]
    assert set(results.distances["method"]) == {"full", "telea", "mean-colour"}
    assert results.distances["reason"].str.endswith("different images").all()
    assert set(results.differences["method"]) == {"telea", "mean-colour"}
    psnr = "metric == 'psnr' and region == 'composite'"
    wide = results.records.query(psnr).pivot(index="pair", columns="method", values="value")
    row = results.differences.query(f"{psnr} and method == 'telea' and bucket == 'all'").iloc[0]
    assert row["n"] == 4
    # One crop of one image has all four masks: the mean over images is that over pairs.
    assert row["difference"] == pytest.approx((wide["telea"] - wide["full"]).mean(), rel=1e-12)


def test_differences_are_those_that_a_report_writes(tmp_path: Path) -> None:
    """The report's file has the composite alone."""
    methods = ("full", "forward", "3x3")
    runs = [Run(tmp_path / finish(tmp_path, method)) for method in methods]
    build.ablation(runs, tmp_path / "report")
    (written,) = (tmp_path / "report").glob("*/differences.csv")
    keys = ["method", "metric", "bucket"]
    expected = pd.read_csv(written).sort_values(keys, ignore_index=True)
    found = bench.load(tmp_path).differences.query("region == 'composite'")
    found = found[expected.columns].sort_values(keys, ignore_index=True)
    assert len(found) == 2 * 2 * 3  # methods, metrics, buckets with that of all
    pd.testing.assert_frame_equal(
        found, expected, check_dtype=False, check_categorical=False, check_column_type=False
    )


def test_a_sweeps_folder_gives_its_own_runs(tmp_path: Path) -> None:
    bench.run("telea", out=tmp_path, **TINY)
    bench.run("navier-stokes", out=tmp_path, **TINY)
    config = override(preset("quick"), TINY)
    cases = [Case(find(name), config, tmp_path) for name in ("telea", "biharmonic")]
    Sweep(tmp_path / "comparison", tuple(cases), "comparison").describe()
    with pytest.warns(UserWarning, match="left out: .*biharmonic-quick is absent"):
        results = bench.load(tmp_path / "comparison")
    assert set(results.records["method"]) == {"telea", "mean-colour"}


KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "uint8": lambda a: a,
    "float32": lambda a: (a / 255).astype(np.float32),
    "float64": lambda a: a / 255,
    "PIL": Image.fromarray,
    "tensor": lambda a: torch.from_numpy(a).movedim(-1, 0),
    "float tensor": lambda a: torch.from_numpy(a).movedim(-1, 0) / 255,
    "batch": lambda a: torch.from_numpy(np.stack([a, a])).movedim(-1, 1) / 255,
}


def last(image: Any) -> np.ndarray:
    """The pixels [...,H,W,3] of a picture of any kind."""
    return image.movedim(-3, -1).numpy() if isinstance(image, torch.Tensor) else np.asarray(image)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_of_any_kind_is_filled(kind: str) -> None:
    pixels, hole = picture()
    image = KINDS[kind](pixels)
    filled = bench.inpaint(image, hole, "telea")
    assert type(filled) is type(image)
    before, after = last(image), last(filled)
    assert after.dtype == before.dtype and after.shape == before.shape
    assert (after[..., ~hole, :] == before[..., ~hole, :]).all()
    levels = after if after.dtype == np.uint8 else (after * 255).round().astype(np.uint8)
    blank = telea(np.where(hole[..., None], 0, pixels).astype(np.uint8), hole)
    assert (levels[..., hole, :] == blank[hole]).all()
    assert (last(KINDS[kind](pixels)) == before).all()  # the input is as it was


@pytest.mark.parametrize(
    "mask",
    [
        lambda m: m.astype(np.uint8), lambda m: m * 0.5, torch.from_numpy,
        lambda m: torch.from_numpy(m)[None], lambda m: torch.from_numpy(m)[None, None],
        Image.fromarray, lambda m: Image.fromarray(m.astype(np.uint8) * 255),
    ],
)  # fmt: skip
def test_a_mask_may_be_of_any_kind(mask: Callable[[np.ndarray], Any]) -> None:
    image, hole = picture()
    expected = bench.inpaint(image, hole, "telea")
    assert (bench.inpaint(image, mask(hole), "telea") == expected).all()
    assert (bench.inpaint(image, mask(~hole), "telea", polarity="hole-black") == expected).all()


def test_a_large_picture_is_filled_in_crops() -> None:
    """The method sees only what is near the hole: a far corner changes nothing."""
    image, hole = np.full((600, 500, 3), 50, np.uint8), np.zeros((600, 500), bool)
    hole[20:30, 20:30] = True
    image[300:] = 250
    assert (bench.inpaint(image, hole, "mean-colour")[hole] == 50).all()


def test_a_runs_network_is_loaded_once_until_the_run_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.run("forward", out=tmp_path, **TINY, **NETWORK)
    loaded: list[object] = []
    original = experiment.load_network

    def counted(*words: Any) -> Any:
        loaded.append(words)
        return original(*words)

    monkeypatch.setattr(experiment, "load_network", counted)
    image, hole = picture()
    first = bench.inpaint(image, hole, run=run)
    assert (bench.inpaint(image, hole, run=str(run.path)) == first).all()
    assert len(loaded) == 1
    weights = run.path / "weights.safetensors"
    save_file({name: 2 * value for name, value in load_file(weights).items()}, weights)
    with pytest.raises(UserError, match=r"weights.* was changed after"):
        bench.inpaint(image, hole, run=run)
    sums.add(run.path, [weights])
    assert (bench.inpaint(image, hole, run=run) != first).any()
    (run.path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"config.* was changed after"):
        bench.inpaint(image, hole, run=run)


def test_the_command_fills_alike(tmp_path: Path) -> None:
    image, hole = picture()
    files = {name: tmp_path / f"{name}.png" for name in ("image", "mask", "out")}
    Image.fromarray(image).save(files["image"])
    Image.fromarray(hole).save(files["mask"])
    words = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    assert main(["inpaint", "--baseline", "telea", *words]) == 0
    filled = bench.inpaint(image, hole, "telea")
    assert (np.asarray(Image.open(files["out"])) == filled).all()


IMAGE, HOLE = picture()


@pytest.mark.parametrize(
    ("image", "mask", "words"),
    [
        (IMAGE[..., 0], HOLE, r"image has the shape \[37, 50\]; it must be \[H,W,3\]"),
        (IMAGE.astype(int), HOLE, "image has numbers of torch.int64; use uint8, or floats"),
        (IMAGE * 1.0, HOLE, "image has values from 0 to 255; floats must lie in"),
        (np.full((37, 50, 3), np.nan), HOLE, "image has NaN or infinite values"),
        ("photo.png", HOLE, "image is of the type str; give an array"),
        (np.full((37, 50, 3), "a"), HOLE, "image has the type <U1; give numbers"),
        (Image.new("L", (50, 37)), HOLE, r"mode L; use image.convert\('RGB'\)"),
        (torch.zeros(37, 50, 3), HOLE, r"must be \[3,H,W\] or \[B,3,H,W\]"),
        (IMAGE, HOLE[1:], r"mask has the shape \[36, 50\], and the image is 37 high and 50 wide"),
        (IMAGE, np.full(HOLE.shape, np.nan), "mask has NaN values"),
        (IMAGE, None, "mask is of the type NoneType"),
        (IMAGE, ~HOLE & HOLE, "mask has no hole as hole-white"),
        (IMAGE[:10, :10], HOLE[:10, 4:14], "smaller than 16 pixels"),
    ],
)
def test_what_is_no_picture_is_refused(image: Any, mask: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        bench.inpaint(image, mask, "telea")


def test_who_fills_must_be_said() -> None:
    with pytest.raises(UserError, match="name of an algorithm, or run=FOLDER"):
        bench.inpaint(IMAGE, HOLE)
    with pytest.raises(UserError, match="forward needs weights; give run=FOLDER"):
        bench.inpaint(IMAGE, HOLE, "forward")
    with pytest.raises(UserError, match="polarity is 'black'; use hole-white or hole-black"):
        bench.inpaint(IMAGE, HOLE, "telea", polarity="black")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="--device is 'gpu'"):
        bench.inpaint(IMAGE, HOLE, "telea", device="gpu")
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        bench.paint  # noqa: B018
    assert {"run", "inpaint"} < {*dir(bench)} and interface.inpaint is bench.inpaint
