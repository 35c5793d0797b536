import logging
from pathlib import Path

import pytest

from bench.core.errors import UserError
from bench.runs.plan import Plan, Work, plan
from bench.runs.run import Run

IDENTITY = {"method": "full", "training.lr": 1, "metrics": "psnr"}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A finished run."""
    run = Run(tmp_path / "r")
    run.begin(IDENTITY, {}, {})
    with run.working():
        for file in (run.weights, run.log, run.records):
            file.write_text("content")
    return run


def begun(run: Run, identity: dict[str, object] = IDENTITY) -> Run:
    run.begin(identity, {}, {})
    return run


def test_a_finished_run_asks_for_nothing(run: Run) -> None:
    assert plan(run, IDENTITY, "training", redo=False) == Plan("nothing", run)


def test_what_is_not_there_is_made(tmp_path: Path) -> None:
    run = Run(tmp_path / "r")
    for redo in (False, True):
        assert plan(run, IDENTITY, "training", redo) == Plan("training", run)
    run.path.mkdir()
    run.config.write_text("{}")  # killed before the state was written
    assert plan(run, IDENTITY, "training", redo=False) == Plan("training", run)


@pytest.mark.parametrize("failed", [True, False])
def test_a_run_that_kept_nothing_starts_again_whatever_is_asked_for(
    tmp_path: Path, failed: bool
) -> None:
    run = begun(Run(tmp_path / "r"))
    if failed:
        with pytest.raises(ZeroDivisionError), run.working():
            raise ZeroDivisionError
    other = IDENTITY | {"training.lr": 2}
    assert plan(run, other, "training", redo=False) == Plan("training", run, fresh=True)
    run.checkpoints.mkdir()
    with pytest.raises(UserError, match="with other settings"):
        plan(run, other, "training", redo=False)


@pytest.mark.parametrize("name", ["weights.safetensors", "records.csv", "checkpoints"])
def test_results_without_a_state_are_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / "r" / name).mkdir(parents=True)
    with pytest.raises(UserError, match=r"no state\.json"):
        plan(Run(tmp_path / "r"), IDENTITY, "training", redo=False)


def test_other_settings_are_refused_and_other_metrics_measured(run: Run) -> None:
    with pytest.raises(UserError, match=r"finished run with other settings: training\.lr: 1 -> 2"):
        plan(run, IDENTITY | {"training.lr": 2}, "training", redo=False)
    assert plan(run, IDENTITY | {"metrics": "ssim"}, "training", False).work == "measurement"
    with pytest.raises(UserError, match="or --name to make another"):
        plan(run, IDENTITY | {"code": "other"}, "training", redo=False)
    with pytest.raises(UserError, match="or tell two models apart by :name=NAME"):
        plan(run, IDENTITY | {"code": "code, onnx 1f"}, "training", redo=False)


@pytest.mark.parametrize(
    ("name", "work"),
    [("records.csv", "measurement"), ("weights.safetensors", "training"), ("log.csv", "training")],
)
@pytest.mark.parametrize("lost", [True, False])
def test_damage_is_told_and_made_again(
    run: Run, name: str, work: Work, lost: bool, caplog: pytest.LogCaptureFixture
) -> None:
    if lost:
        (run.path / name).unlink()
    else:
        (run.path / name).write_text("other")
    with caplog.at_level(logging.WARNING):
        found = plan(run, IDENTITY, "training", redo=False)
    assert found == Plan(work, run, damaged=(name,))
    assert f"{run.path / name} {'is missing' if lost else 'was changed'}" in caplog.text


def test_damaged_pictures_are_no_reason_to_measure(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    picture = run.path / "pictures" / "00000_output.webp"
    picture.parent.mkdir()
    picture.write_text("content")
    run.seal()
    picture.write_text("other")
    with caplog.at_level(logging.WARNING):
        assert plan(run, IDENTITY, "training", redo=False) == Plan("pictures", run)
    assert f"{picture} was changed" in caplog.text


@pytest.mark.parametrize("name", ["identity.json", "config.json", "environment.json", "SHA256SUMS"])
def test_damage_of_the_description_is_refused(run: Run, name: str) -> None:
    (run.path / name).write_text("other")
    with pytest.raises(
        UserError, match=rf"{name}.*the command that made the run again, with --redo"
    ):
        plan(run, IDENTITY, "training", redo=False)
    assert plan(run, IDENTITY, "training", redo=True).run == run.successor


def test_a_training_that_is_done_is_measured(run: Run) -> None:
    begun(run)
    assert plan(run, IDENTITY, "training", redo=False) == Plan("measurement", run)
    (run.path / "SHA256SUMS").write_text("half")
    assert plan(run, IDENTITY, "training", redo=False) == Plan("training", run)
    run.seal()
    run.weights.write_text("half")
    assert plan(run, IDENTITY, "training", redo=False) == Plan("training", run)


def test_a_redo_has_a_folder_of_its_own_and_goes_on(run: Run) -> None:
    other = run.successor
    assert plan(run, IDENTITY, "training", redo=True) == Plan("training", other, fresh=True)
    begun(other)
    assert plan(run, IDENTITY, "training", redo=True) == Plan("training", other)
    # Of other settings, or damaged, it is of no use.
    changed = IDENTITY | {"training.lr": 2}
    assert plan(run, changed, "training", redo=True) == Plan("training", other, fresh=True)
    other.state.write_text("")
    assert plan(run, IDENTITY, "training", redo=True) == Plan("training", other, fresh=True)
