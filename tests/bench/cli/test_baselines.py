"""Baselines from the command line: run, resume, compare, inpaint."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from bench.config import Config, Model, override
from bench.core.references import resolve
from bench.presets import preset
from bench.profiling import cost
from bench.registry import TrainedNetwork, find
from bench.runs.experiment import Experiment
from bench.training.checkpoints import Checkpoints
from bench.training.log import TrainingLog
from tests.bench.cli.test_cli import hole, picture
from tests.bench.conftest import Run

MEASURED = ("--size", 64, "--resize", 88, "--pairs", 2)
"""Options that make the measuring of an algorithm short."""
LEARNERS = ["pconv", "global-local", "contextual-attention"]


def experiment(name: str, out: Path, **changes: object) -> Experiment:
    """A tiny experiment of a method, with the options that concern it."""
    method = find(name)
    return Experiment(method, method.relevant(tiny_config(**changes)), out)


def tiny_config(**changes: object) -> Config:
    small = {
        "size": 64, "resize": 88, "width": 4, "depth": 4, "critic_width": 4, "steps": 12,
        "batch_size": 2, "pairs": 1, "validation_pairs": 1, "device": "cpu", "log_every": 1,
        "checkpoint_every": 5, "validate_every": 5,
    }  # fmt: skip
    return override(preset("quick"), small | changes)


def test_a_classical_run_is_measured_not_trained(run: Run, tmp_path: Path) -> None:
    words = ["run", "--baseline", "telea", *MEASURED, "--out", tmp_path]
    code, out, _ = run(*words)
    folder = tmp_path / "telea-quick"
    assert code == 0
    assert "| telea" in out and "| mean-colour" in out and "not trained" in out
    assert {p.name for p in folder.iterdir()} >= {"records.csv", "grid.png", "plot.png"}
    assert not list(folder.glob("*weights*")) and not (folder / "log.csv").exists()
    # Training images show in the test pairs alone.
    before = (folder / "records.csv").stat().st_mtime_ns
    assert run(*words, "--images", "sample")[0] == 0
    assert (folder / "records.csv").stat().st_mtime_ns == before
    assert run(*words, "--pairs", "1")[0] == 0  # with other pairs it is measured again
    assert pd.read_csv(folder / "records.csv")["pair"].nunique() == 4


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("patchmatch", "--lr", 5),
        ("mean-colour", "--seed", 1),
        ("pconv", "--critic-width", 9),
        ("global-local", "--lr", 1e-4),
        ("contextual-attention", "--adversarial", 1),
    ],
)
def test_options_without_effect_are_refused(
    run: Run, tmp_path: Path, name: str, option: str, value: float
) -> None:
    code, _, err = run("run", "--baseline", name, option, value, "--out", tmp_path / "runs")
    assert code == 2 and f"without effect on {name}: {option}; leave it out" in err
    assert not (tmp_path / "runs").exists()


def test_the_floor_is_not_measured_beside_itself(tmp_path: Path) -> None:
    run = experiment("mean-colour", tmp_path).execute()
    records = pd.read_csv(run.records)
    assert not records.duplicated(["method", "pair", "metric", "region"]).any()


class Killed(BaseException):
    """Nothing in the program can catch it."""


@pytest.mark.parametrize("name", LEARNERS)
def test_training_killed_in_any_phase_resumes_to_the_same_bits(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = experiment(name, tmp_path / "whole").execute()
    killed = experiment(name, tmp_path / "killed")
    write = Checkpoints.write

    def then_killed(self: Checkpoints, step: int, rows: TrainingLog) -> None:
        write(self, step, rows)
        raise Killed

    monkeypatch.setattr(Checkpoints, "write", then_killed)
    for _ in range(2):  # after steps 5 and 10
        with pytest.raises(Killed):
            killed.execute()
    monkeypatch.undo()
    killed.execute()
    assert killed.run.weights.read_bytes() == whole.weights.read_bytes()
    logs = [pd.read_csv(r.log).drop(columns="images_per_s") for r in (whole, killed.run)]
    pd.testing.assert_frame_equal(*logs)


@pytest.mark.parametrize("name", [*LEARNERS, "pconv-common"])
def test_all_trainable_methods_see_the_same_batches(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[torch.Tensor]] = {"full": [], name: []}
    for each in seen:
        method = find(each)
        assert isinstance(method, TrainedNetwork)
        kind = resolve(method.learner)
        step = kind.step

        def watched(self, holed, mask, target, number, step=step, each=each):  # type: ignore[no-untyped-def]
            assert torch.equal(holed, target * mask)
            seen[each] += [target.clone(), mask.clone()]
            return step(self, holed, mask, target, number)

        monkeypatch.setattr(kind, "step", watched)
        experiment(each, tmp_path, steps=3).execute()
        monkeypatch.undo()
    assert len(seen["full"]) == 6
    assert all(map(torch.equal, seen["full"], seen[name]))


def test_compare_runs_all_and_prints_costs_and_the_papers_numbers_apart(
    run: Run, tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(name: str, model: Model, device: str) -> cost.Cost:
        return cost.Cost(name, 1234 if name == "pconv" else 0, 0, 9.87, None, "CPU, 2 threads")

    monkeypatch.setattr(cost, "measure", measure)
    words = ["compare", "--methods", "full,pconv,telea,mean-colour", *tiny, "--out", tmp_path]
    code, out, _ = run(*words)
    assert code == 0
    assert out.count("(settings ") == 1  # one table for all of them
    psnr = out.split("**")[2]
    rows = {line.split("|")[1].strip(): line for line in psnr.splitlines() if "|" in line}
    assert {"full", "pconv", "telea", "mean-colour"} <= set(rows)
    assert "28.51" in rows["full"] and "28.32" in rows["pconv"] and "28" not in rows["telea"]
    costs = out.split("**Cost of filling one image**")[1]
    assert "1,234" in costs and "9.9" in costs and "CPU, 2 threads" in costs
    (grid,) = (tmp_path / "comparison").glob("*/figures/side-by-side.png")
    assert Image.open(grid).size[0] > 1000


def test_report_shows_a_users_picture_filled_by_every_run(
    run: Run, tmp_path: Path, tiny: list[str]
) -> None:
    assert run("run", "--variant", "no-gan", *tiny, "--out", tmp_path)[0] == 0
    assert run("run", "--baseline", "telea", *MEASURED, "--out", tmp_path)[0] == 0
    image, mask = picture(tmp_path / "i.png", 40, 55), hole(tmp_path / "m.png", 40, 55)
    glass = Image.open(image)
    glass.putalpha(100)
    glass.save(image)
    words = ["report", "--out", tmp_path, "--image", image]
    code, _, err = run(*words)
    assert code == 2 and "--mask" in err
    saved = {p: p.read_bytes() for p in tmp_path.glob("*-quick*/pictures/*.webp")}
    for path in saved:
        path.unlink()  # the report makes them again from the weights
    code, out, _ = run(*words, "--mask", mask)
    assert code == 0 and "Table 1" not in out  # of this comparison the paper has nothing
    assert saved and all(path.read_bytes() == content for path, content in saved.items())
    folder = tmp_path / "report" / "removal"
    assert {p.name for p in folder.iterdir()} == {
        "input.png", "no-gan.png", "telea.png", "removal.png"
    }  # fmt: skip
    assert "\nalpha is kept, and opaque in the hole: i.png\n" in out
    before = np.asarray(Image.open(image))
    for name in ("no-gan", "telea"):
        assert np.array_equal(np.asarray(Image.open(folder / f"{name}.png"))[12:], before[12:])


@pytest.mark.parametrize("error", [RuntimeError, KeyError])
def test_a_failing_method_is_named_and_the_others_are_compared(
    run: Run,
    tmp_path: Path,
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise error("no library")

    monkeypatch.setattr(cost, "of_run", lambda folder: None)
    monkeypatch.setattr("baselines.classical.fills.PerImage", fail)
    words = ["compare", "--methods", "no-gan,telea", *tiny, "--references", "", "--out", tmp_path]
    code, out, err = run(*words)
    assert code == 2
    assert "| no-gan" in out and f"missing: telea-quick: failed: {error.__name__}: " in err
    assert json.loads((tmp_path / "telea-quick" / "state.json").read_text())["state"] == "failed"


@pytest.mark.parametrize("name", ["patchmatch", "telea"])
def test_inpaint_takes_a_classical_method_without_weights(
    run: Run, tmp_path: Path, name: str
) -> None:
    image, mask = picture(tmp_path / "i.png", 40, 55), hole(tmp_path / "m.png", 40, 55)
    out = tmp_path / "o.png"
    code, _, _ = run("inpaint", "--baseline", name, "--image", image, "--mask", mask, "--out", out)
    assert code == 0
    before, after = np.asarray(Image.open(image)), np.asarray(Image.open(out))
    assert np.array_equal(before[12:], after[12:]) and not np.array_equal(before, after)


def test_weights_of_a_baseline_are_measured(run: Run, tmp_path: Path) -> None:
    weights = experiment("global-local", tmp_path, steps=1).execute().weights
    size = ["--size", "64", "--resize", "88", "--width", "4", "--pairs", "2"]
    words = ["--baseline", "global-local", "--weights", weights, *size, "--out", tmp_path]
    code, out, _ = run("evaluate", *words)
    assert code == 0 and "| global-local" in out


def test_splits_are_recorded(tmp_path: Path) -> None:
    run = experiment("no-gan", tmp_path, steps=1).execute()
    splits = json.loads(run.splits.read_text())
    assert splits["val"]["names"] == ["rocket"]
    assert splits["train"]["images"] == 6 and splits["test"]["source"] == "sample"
