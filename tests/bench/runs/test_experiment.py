import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.config import override
from bench.core.errors import UserError
from bench.core.interrupts import Stopped
from bench.evaluation import records
from bench.evaluation.evaluator import Evaluator
from bench.evaluation.metrics import metric
from bench.presets import preset
from bench.registry import find
from bench.runs.experiment import Experiment, load_run
from bench.training import precision
from bench.training.common import CommonLearner

SMALL = {
    "size": 64, "resize": 88, "width": 4, "depth": 4, "critic_width": 4, "steps": 3,
    "batch_size": 2, "pairs": 1, "validation_pairs": 1, "device": "cpu",
    "precision": "fp32",
}  # fmt: skip


def test_two_variants_see_the_same_batches_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[Tensor]] = {}
    step = CommonLearner.step
    name = ""

    def watched(
        self: CommonLearner, holed: Tensor, mask: Tensor, target: Tensor, number: int
    ) -> dict[str, Tensor]:
        seen.setdefault(name, []).extend([target.clone(), mask.clone()])
        return step(self, holed, mask, target, number)

    monkeypatch.setattr(CommonLearner, "step", watched)
    for name in ("forward", "no-gan"):
        Experiment(find(name), override(preset("quick"), SMALL), tmp_path / name).execute()
    assert len(seen["forward"]) == 6
    assert all(map(torch.equal, seen["forward"], seen["no-gan"]))
    assert not torch.equal(seen["forward"][0], seen["forward"][2])


def test_a_redo_that_is_stopped_keeps_the_run_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = override(preset("quick"), {**SMALL, "checkpoint_every": 1})
    run = Experiment(find("no-gan"), config, tmp_path).execute()
    kept = run.weights.read_bytes()
    other = Experiment(find("no-gan"), override(config, {"lr": 0.1}), tmp_path)
    step = CommonLearner.step

    def stopped(self: CommonLearner, *arguments: Any) -> dict[str, Tensor]:
        if arguments[-1] == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *arguments)

    monkeypatch.setattr(CommonLearner, "step", stopped)
    with pytest.raises(Stopped, match="stopped after step 2 of 3"):
        other.execute(redo=True)
    assert run.weights.read_bytes() == kept and run.damaged() == {}
    monkeypatch.setattr(CommonLearner, "step", step)
    with caplog.at_level(logging.INFO):
        other.execute(redo=True)
    assert "resuming after step 2 of 3" in caplog.text
    assert run.weights.read_bytes() != kept and run.damaged() == {}
    alone = Experiment(find("no-gan"), override(config, {"lr": 0.1}), tmp_path / "alone").execute()
    assert run.weights.read_bytes() == alone.weights.read_bytes()


def test_a_training_whose_last_step_diverged_is_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = CommonLearner.step

    def spoilt(self: CommonLearner, *arguments: Any) -> dict[str, Tensor]:
        terms = step(self, *arguments)
        if arguments[-1] == 2:  # its loss was finite, and its update is not
            next(self.network.parameters()).data.fill_(float("nan"))
        return terms

    monkeypatch.setattr(CommonLearner, "step", spoilt)
    experiment = Experiment(find("no-gan"), override(preset("quick"), SMALL), tmp_path)
    with pytest.raises(UserError, match=r"the training diverged: the weight .* is not finite"):
        experiment.execute()
    assert experiment.run.progress == "failed" and not experiment.run.weights.exists()
    assert "diverged" in experiment.run.state.read_text()


def test_a_measurement_that_fails_keeps_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = override(preset("quick"), SMALL)
    run = Experiment(find("no-gan"), config, tmp_path).execute()
    monkeypatch.setattr("bench.evaluation.album._write", lambda *_: 1 / 0)
    more = Experiment(find("no-gan"), override(config, {"pairs": 2}), tmp_path)
    with pytest.raises(ZeroDivisionError):
        more.execute()
    assert run.progress == "finished" and run.damaged() == {}
    monkeypatch.undo()
    more.execute()
    assert len(run.pictures.pairs_with("output")) == 8 and run.damaged() == {}
    assert not (run.path / ".pictures.tmp").exists()


def test_a_redo_that_fails_keeps_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = override(preset("quick"), SMALL)
    run = Experiment(find("no-gan"), config, tmp_path).execute()
    kept = run.weights.read_bytes()
    monkeypatch.setattr(CommonLearner, "step", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Experiment(find("no-gan"), config, tmp_path).execute(redo=True)
    assert run.progress == "finished" and run.damaged() == {}
    assert run.weights.read_bytes() == kept


def test_where_data_lies_is_not_part_of_the_identity(tmp_path: Path) -> None:
    from tests.bench.cli.test_cli import picture

    identities = []
    for place in ("here", "there"):
        for split in ("train", "val", "test"):
            picture(tmp_path / place / split / "a.png", 90, 100)
        config = override(preset("quick"), {**SMALL, "images": f"folder:{tmp_path / place}"})
        run = Experiment(find("full"), config, tmp_path / "runs" / place).execute()
        identities.append(run.read_identity())
    assert identities[0] == identities[1]


def test_weights_other_than_published_are_recorded_and_part_no_runs(tmp_path: Path) -> None:
    config = override(preset("quick"), SMALL)
    methods = (find("pconv"), find("pconv-common"))
    pconv, common = (Experiment(m, m.relevant(config), tmp_path).execute() for m in methods)
    assert pconv.read_identity()["departures"] == {
        "valid": 6.0, "hole": 36.0, "style": 10.0, "variation": 0.6
    }  # fmt: skip
    assert common.read_identity()["departures"] == {}
    assert "departures" not in pconv.settings


def test_a_run_is_loaded_with_its_method_and_config(tmp_path: Path) -> None:
    config = override(preset("quick"), SMALL)
    run = Experiment(find("3x3"), config, tmp_path).execute()
    method, loaded = load_run(run)
    assert (method.name, loaded) == ("3x3", config)


def test_photographs_are_decoded_where_the_cache_is(tmp_path: Path) -> None:
    options = {"size": 64, "resize": 88, "pairs": 1, "cache": str(tmp_path / "scratch")}
    config = override(preset("quick"), options)
    run = Experiment(find("mean-colour"), config, tmp_path / "runs").execute()
    assert list((tmp_path / "scratch").glob("*.bin"))
    assert not (tmp_path / "runs" / ".cache").exists()
    assert load_run(run)[1].data.cache == ""  # nothing for another machine
    elsewhere = Experiment(find("mean-colour"), override(config, {"cache": ""}), tmp_path / "runs")
    assert elsewhere.execute().damaged() == {}  # the same run


def test_inputs_are_resolved_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.data import inputs

    asked: list[tuple[object, ...]] = []
    for name in ("pictures", "open_masks"):
        original = getattr(inputs, name)

        def counted(*args: object, name: str = name, original: Any = original) -> Any:
            asked.append((name, *args))
            return original(*args)

        monkeypatch.setattr(inputs, name, counted)
    Experiment(find("no-gan"), override(preset("quick"), SMALL), tmp_path).execute()
    splits = [call[2] for call in asked if call[0] == "pictures"]
    assert sorted(splits) == ["test", "train", "val"]
    assert (
        len([call for call in asked if call[0] == "open_masks"]) == 2
    )  # for training, for testing


def test_a_run_keeps_the_precision_that_auto_meant_when_it_was_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = override(preset("quick"), SMALL | {"precision": "auto"})
    monkeypatch.setattr(precision, "trial", lambda: {"fp32": 1.0, "bf16": 2.0})
    run = Experiment(find("no-gan"), config, tmp_path).execute()
    assert run.read_identity()["training.precision"] == "fp32"
    assert run.read_identity()["processes"] == 1
    (tmp_path / ".cache" / "precision.json").unlink()
    monkeypatch.setattr(precision, "trial", lambda: {"fp32": 2.0, "bf16": 1.0})
    Experiment(find("no-gan"), config, tmp_path).execute()
    assert run.read_identity()["training.precision"] == "fp32"
    wanted = Experiment(find("no-gan"), override(config, {"precision": "bf16"}), tmp_path)
    with pytest.raises(UserError, match=r"training\.precision: fp32 -> bf16"):
        wanted.execute()
    replaced = Experiment(find("no-gan"), config, tmp_path).execute(redo=True)
    assert replaced.read_identity()["training.precision"] == "bf16"


def test_no_learner_is_given_the_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, leaks = CommonLearner.step, []

    def watched(
        self: CommonLearner, holed: Tensor, mask: Tensor, target: Tensor, number: int
    ) -> dict[str, Tensor]:
        leaks.append(float((holed * (1 - mask)).abs().max()))
        assert torch.equal(holed * mask, target * mask)
        assert float((target * (1 - mask)).max()) > 0
        return step(self, holed, mask, target, number)

    monkeypatch.setattr(CommonLearner, "step", watched)
    Experiment(find("no-gan"), override(preset("quick"), SMALL), tmp_path).execute()
    assert leaks == [0.0] * 3


def test_other_test_pairs_ask_for_no_other_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = override(preset("quick"), SMALL)
    run = Experiment(find("no-gan"), config, tmp_path).execute()
    weights = run.weights.read_bytes()
    monkeypatch.setattr(CommonLearner, "step", lambda *_: pytest.fail("it trains"))
    more = Experiment(find("no-gan"), override(config, {"pairs": 2}), tmp_path)
    with caplog.at_level(logging.INFO):
        more.execute()
    assert "is measured again: data.pairs: 1 -> 2; test pairs: " in caplog.text
    assert run.weights.read_bytes() == weights
    assert (
        records.read([run.records])["pair"].nunique() == 8 == len(run.pictures.pairs_with("output"))
    )
    Experiment(find("no-gan"), config, tmp_path).execute()  # no picture of the other pairs stays
    assert (
        records.read([run.records])["pair"].nunique() == 4 == len(run.pictures.pairs_with("output"))
    )
    with pytest.raises(
        UserError, match=r"other settings: training\.lr: 0\.003 -> 0\.1\. Use --redo"
    ):
        Experiment(find("no-gan"), override(config, {"lr": 0.1}), tmp_path).execute()


@pytest.mark.parametrize(("minutes", "steps"), [(1e-9, [2, 3]), (60.0, [3])])
def test_a_checkpoint_is_written_after_some_minutes(
    tmp_path: Path, minutes: float, steps: list[int]
) -> None:
    """Two are kept; without the minutes there is the one of the last step."""
    config = override(
        preset("quick"), SMALL | {"checkpoint_minutes": minutes, "keep_checkpoints": True}
    )
    run = Experiment(find("no-gan"), config, tmp_path).execute()
    assert sorted(int(path.name) for path in run.checkpoints.iterdir()) == steps
    # Another command removes none: it may be given without the option.
    Experiment(find("no-gan"), override(config, {"keep_checkpoints": False}), tmp_path).execute()
    assert len(list(run.checkpoints.iterdir())) == len(steps)


def test_a_finished_run_keeps_no_checkpoints_unless_asked(tmp_path: Path) -> None:
    run = Experiment(find("no-gan"), override(preset("quick"), SMALL), tmp_path).execute()
    assert run.progress == "finished" and not run.checkpoints.exists()


def test_more_pictures_are_drawn_without_measuring_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = override(preset("quick"), SMALL | {"pairs": 3, "pictures": "1"})
    run = Experiment(find("no-gan"), config, tmp_path).execute()
    assert run.pictured == run.pictures.complete == {0, 3, 6, 9}
    first = {p: p.read_bytes() for p in run.pictures.own.iterdir()}
    monkeypatch.setattr(Evaluator, "records", lambda *_: pytest.fail("it measures"))
    for asked, saved in (("2", 8), ("none", 8), ("all", 12)):
        Experiment(find("no-gan"), override(config, {"pictures": asked}), tmp_path).execute()
        assert len(run.pictured) == len(run.pictures.complete) == saved
        assert run.damaged() == {} and not run.lacks_pictures()
    assert all(path.read_bytes() == content for path, content in first.items())


def test_pictures_that_are_drawn_again_are_all_that_the_run_had(tmp_path: Path) -> None:
    config = override(preset("quick"), SMALL | {"pairs": 3, "pictures": "all"})
    run = Experiment(find("no-gan"), config, tmp_path).execute()
    run.pictures.file(5, "output").write_bytes(b"damaged")
    Experiment(find("no-gan"), override(config, {"pictures": "1"}), tmp_path).execute()
    assert len(run.pictures.complete) == 12 and not run.lacks_pictures()


def test_inputs_are_saved_once_for_all_runs(tmp_path: Path) -> None:
    config = override(preset("quick"), SMALL)
    runs = [Experiment(find(name), config, tmp_path).execute() for name in ("no-gan", "3x3")]
    assert runs[0].pictures.shared == runs[1].pictures.shared
    files = sorted(path.name for path in tmp_path.rglob("*.webp"))
    assert sum(name.endswith(("_input.webp", "_truth.webp")) for name in files) == 2 * 4
    assert sum(name.endswith("_output.webp") for name in files) == 2 * 4
    runs[0].pictures.file(0, "truth").write_bytes(b"damaged")
    assert all(run.lacks_pictures() for run in runs)
    Experiment(find("3x3"), config, tmp_path).execute()
    assert not any(run.lacks_pictures() for run in runs)


def test_a_new_metric_is_measured_without_training_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = override(preset("quick"), SMALL)
    run = Experiment(find("no-gan"), config, tmp_path).execute()
    monkeypatch.setattr(CommonLearner, "step", lambda *_: pytest.fail("it trains"))
    monkeypatch.setattr(metric.REGISTRY, "_items", dict(metric.REGISTRY.all()))
    define = metric.metric("bias", label="bias", unit="levels", higher_is_better=False)
    define(lambda output, target, hole=None: (output - target).mean((1, 2, 3)))
    metric.REGISTRY._modules["bias"] = "bench.evaluation.metrics.l1"
    Experiment(find("no-gan"), config, tmp_path).execute()
    assert "bias" in set(records.read([run.records])["metric"])


def test_settings_that_cannot_work_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    config = override(preset("quick"), {"size": 96, "resize": 96})
    with pytest.raises(UserError, match="no multiple of 64"):
        Experiment(find("global-local"), config, tmp_path / "runs").execute()
    assert not (tmp_path / "runs").exists()
