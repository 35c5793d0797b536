"""Evaluations are runs: named by what they measure, and found, kept and repaired like others."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.config import override
from bench.core.errors import UserError
from bench.core.files import read_json
from bench.evaluation import records
from bench.presets import preset
from bench.registry import find
from bench.runs import evaluation
from bench.runs.case import Case
from bench.runs.experiment import Experiment, load_run, restore_pictures
from bench.runs.pack import pack, packable, unpack
from bench.runs.run import Run
from bench.runs.weights import file_of
from tests.bench.runs.test_experiment import SMALL

OTHER = {"test_masks": "strokes", "lpips": "off"}
"""Options that ask for other test pairs than those of a run."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tiny finished run; tests leave it as it is."""
    root = tmp_path_factory.mktemp("trained")
    config = override(preset("quick"), SMALL | {"keep_checkpoints": True, "checkpoint_every": 1})
    return Experiment(find("no-gan"), config, root, "a").execute()


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    """A copy of the run."""
    shutil.copytree(trained.path.parent, tmp_path / "runs")
    return Run(tmp_path / "runs" / trained.name)


def made(case: Case, redo: bool = False) -> Run:
    return Experiment(case.method, case.config, case.root, case.tag).execute(redo)


def measured(run: Run, file: Path | None = None, **options: Any) -> Run:
    """The finished evaluation of a run next to it."""
    return made(evaluation.of_run(run, options, run.path.parent, "", file))


def test_an_evaluation_is_a_run_without_a_copy_of_the_weights(run: Run) -> None:
    found = measured(run, **OTHER)
    pairs = found.read_identity()["test pairs"]
    assert found.name == f"no-gan-quick-a-on-sample-{pairs[:8]}-seed0"
    assert found.progress == "finished" and found.damaged() == {} and not found.weights.exists()
    assert file_of(found) == run.weights
    identity, of_training = found.read_identity(), run.read_identity()
    assert identity["training.steps"] == 3 and identity["code"] == of_training["code"]
    assert identity["test pairs"] != of_training["test pairs"]
    assert found.settings.keys() <= run.settings.keys()  # so runs of several methods agree
    assert records.read([found.records])["pair"].nunique() == 4 == len(found.pictures.complete)
    assert load_run(found)[1].data.test_masks == "strokes"


def test_it_is_skipped_made_again_and_repaired_like_a_run(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    first = measured(run, **OTHER)
    before = first.records.stat().st_mtime_ns
    with caplog.at_level(logging.INFO):
        measured(run, **OTHER)
    assert "is finished; skipped" in caplog.text and first.records.stat().st_mtime_ns == before
    first.records.write_text("damaged")
    measured(run, **OTHER)
    assert first.damaged() == {}
    shutil.rmtree(first.pictures.own)
    restore_pictures(first, first.path.parent)
    assert not first.lacks_pictures()
    assert made(evaluation.of_run(run, OTHER, run.path.parent), redo=True).damaged() == {}


def test_a_killed_one_is_made_by_the_same_command(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.evaluation.evaluator.Evaluator.records", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        measured(run, **OTHER)
    monkeypatch.undo()
    assert measured(run, **OTHER).progress == "finished"


def test_weights_that_were_trained_again_are_not_those_that_were_measured(run: Run) -> None:
    found = measured(run, **OTHER)
    checkpoint = run.checkpoints / "00000002" / "model.safetensors"
    shutil.copyfile(checkpoint, run.weights)
    run.seal()
    with pytest.raises(UserError, match=r"other settings: weights: .* Use --redo"):
        measured(run, **OTHER)
    shutil.rmtree(found.pictures.own)
    lost = "holds no copy of its weights, and those of no-gan-quick.* are gone; there are others in"
    with pytest.raises(UserError, match=lost):
        restore_pictures(found, found.path.parent)


def test_a_network_of_other_code_is_measured_again(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    measured(run, **OTHER)
    monkeypatch.setattr(evaluation, "network_code", lambda method: "changed")
    with caplog.at_level(logging.INFO):
        found = measured(run, **OTHER)
    assert "is measured again: network code: " in caplog.text
    assert found.progress == "finished" and found.damaged() == {}


def test_a_checkpoint_is_a_run_of_its_own(run: Run) -> None:
    other = measured(run, run.checkpoints / "00000002" / "model.safetensors", **OTHER)
    digest = other.read_identity()["weights"]
    assert f"no-gan-quick-weights-{digest[:8]}-on-sample-" in other.name
    assert "training images" not in other.read_identity()
    assert measured(other, **OTHER).name == other.name


def test_compiled_weights_are_another_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(torch, "compile", lambda network, **_: compiled.append(network) or network)
    plain, other = measured(run, **OTHER), measured(run, **OTHER, compile="on")
    assert other.name == plain.name.replace("-seed0", "-compiled-seed0") and len(compiled) == 1
    marks = [set(records.read([one.records])["fingerprint"]) for one in (plain, other)]
    assert marks[0].isdisjoint(marks[1]) and plain.damaged() == {}


def test_without_other_pairs_it_repeats_the_runs_numbers(tmp_path: Path) -> None:
    # accelerate wraps a network's forward in autocast for good: bf16 must not come through.
    config = override(preset("quick"), {**SMALL, "precision": "bf16"})
    run = Experiment(find("no-gan"), config, tmp_path).execute()
    values = [records.read([one.records])["value"] for one in (run, measured(run))]
    assert values[0].equals(values[1])


@pytest.fixture
def done(run: Run) -> Callable[..., bool]:
    """Tell whether a run, such as the trained one, has what an evaluation of it would measure."""

    def tell(one: Run = run, file: Path | None = None, **options: Any) -> bool:
        return evaluation.is_done(evaluation.of_run(one, options, one.path.parent, "b", file), one)

    return tell


def test_a_run_has_what_no_option_asks_otherwise(run: Run, done: Callable[..., bool]) -> None:
    assert done() and done(file=run.weights) and done(eval_batch=1)
    assert not any([done(**OTHER), done(references=""), done(compile="on"), done(pairs=2)])
    assert not done(file=run.checkpoints / "00000002" / "model.safetensors")
    two = measured(run, pairs=2, pictures="1")
    assert done(two) and not done(two, pictures="2")
    run.records.write_text("damaged")
    assert not done()


def test_other_code_is_measured_again(
    run: Run, done: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated = measured(run, **OTHER)
    assert done(evaluated)
    monkeypatch.setattr(evaluation, "method_code", lambda *_: "changed")
    assert not done() and done(evaluated)
    monkeypatch.setattr(evaluation, "network_code", lambda _: "changed")
    assert not done(evaluated)


def test_an_evaluation_can_be_evaluated(run: Run) -> None:
    first = measured(run, **OTHER)
    second = measured(first, test_masks="shapes", lpips="off")
    assert second.name.startswith("no-gan-quick-a-on-sample-") and second.name != first.name
    assert read_json(second.environment)["weights"]["run"] == run.name


def test_an_algorithm_needs_no_weights(tmp_path: Path) -> None:
    config = override(preset("quick"), {"size": 64, "resize": 88, "pairs": 1, **OTHER})
    found = made(evaluation.of_method(find("mean-colour"), config, tmp_path, "b"))
    pairs = found.read_identity()["test pairs"]
    assert found.name == f"mean-colour-quick-b-on-sample-{pairs[:8]}"
    # Its own run measures the same.
    assert evaluation.is_done(evaluation.of_run(found, {}, tmp_path), found)
    assert measured(found).name == f"mean-colour-quick-on-sample-{pairs[:8]}"


def test_it_travels_in_a_pack(run: Run, tmp_path: Path) -> None:
    found = measured(run, **OTHER)
    good, problems = packable([found], weights=True)
    assert problems == []
    pack(good, tmp_path / "one.zip", weights=True)
    (there,) = unpack(tmp_path / "one.zip", tmp_path / "elsewhere")
    assert there.name == found.name and not there.lacks_pictures()


def test_weights_that_do_not_fit_leave_nothing_behind(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"broken\.safetensors"):
        measured(run, tmp_path / "broken.safetensors", **OTHER)
    assert not list(run.path.parent.glob("[!.]*-on-*"))
