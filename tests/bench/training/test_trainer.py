import errno
import logging
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bench.config import override
from bench.core.errors import UserError
from bench.core.run_folder import RunFolder
from bench.presets import preset
from bench.training.log import TrainingLog
from bench.training.trainer import Trainer, total_steps


def test_a_warning_of_the_learner_is_passed_on_once(caplog: pytest.LogCaptureFixture) -> None:
    learner = SimpleNamespace(
        terms=("real",), warning=lambda row: "all is lost" if row["real"] > 0.9 else ""
    )
    trainer = SimpleNamespace(learner=learner, warned=False)
    with caplog.at_level(logging.WARNING):
        for step, real in enumerate([0.5, 0.99, 0.99]):
            Trainer._judge(trainer, step, {"real": real})  # type: ignore[arg-type]
    assert [r.message for r in caplog.records] == ["step 1: all is lost"]


def test_of_several_processes_the_first_has_a_heartbeat() -> None:
    folder = RunFolder(Path("unused"))
    trainer = SimpleNamespace(config=preset("quick"), folder=folder, steps=9)
    for active in (True, False):
        heartbeat = Trainer._heartbeat(trainer, 4, active)  # type: ignore[arg-type]
        assert (heartbeat.active, heartbeat.step, heartbeat.steps) == (active, 4, 9)


def test_the_budget_is_steps_or_epochs() -> None:
    config = override(preset("paper"), {"epochs": 3, "batch_size": 4})
    assert total_steps(config, images=10) == 8  # 30 images in batches of 4
    assert total_steps(override(config, {"steps": 5}), images=10) == 5


def test_a_log_holds_means_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    folder, checkpoint = RunFolder(tmp_path / "run"), tmp_path / "checkpoint"
    folder.path.mkdir()
    checkpoint.mkdir()
    with TrainingLog(folder, ["pixel"], 0) as log:
        for step in range(1, 7):
            log.add(step, {"pixel": torch.tensor(float(step))}, images=2)
            if step % 2 == 0:
                row = log.write()
                assert row["pixel"] == step - 0.5
            if step == 5:  # between two rows
                log.save(checkpoint, 0)
        log.write_validation(6, 20.0)
    whole = _losses(folder)
    with folder.log.open("a") as file:
        file.write("8,1")  # the process was killed while it wrote
    with TrainingLog(folder, ["pixel"], 5) as log:
        log.load(checkpoint, 0, torch.device("cpu"))
        log.add(6, {"pixel": torch.tensor(6.0)}, images=2)
        rates = [log.images]
        log.write()
    # The rate is that of this process: the image of step 5 was drawn in the time of another.
    assert rates == [2]
    assert _losses(folder) == whole == [["step", "pixel"], ["2", "1.5"], ["4", "3.5"], ["6", "5.5"]]
    assert not folder.validation.exists()


def _losses(folder: RunFolder) -> list[list[str]]:
    """Return the rows of a log without their rate, which is a matter of time."""
    rows = [line.split(",") for line in folder.log.read_text().splitlines()]
    return [[row[0], *row[2:]] for row in rows]


def test_a_full_disk_is_told_by_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    with TrainingLog(folder, ["pixel"], 0) as log:
        log.add(1, {"pixel": torch.tensor(1.0)}, images=2)

        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")  # without a name

        monkeypatch.setattr(Path, "open", full)
        with pytest.raises(UserError, match=r"cannot write .*log\.csv: No space left on device"):
            log.write()


@pytest.mark.parametrize(
    ("row", "term"), [({"a": 1.0, "b": math.nan}, "b"), ({"a": -math.inf, "b": 1.0}, "a")]
)
def test_a_training_that_diverged_is_stopped(row: dict[str, float], term: str) -> None:
    learner = SimpleNamespace(terms=("a", "b", "c"), warning=lambda row: "")
    trainer = SimpleNamespace(learner=learner, warned=False)
    with pytest.raises(
        UserError, match=f"diverged: the term '{term}' is .* at step 7; try a lower"
    ):
        Trainer._judge(trainer, 7, row)  # type: ignore[arg-type]


def test_weights_that_the_last_step_spoilt_are_not_written() -> None:
    network = torch.nn.Linear(2, 1)
    trainer = SimpleNamespace(network=network, steps=9)
    Trainer._check_weights(trainer)  # type: ignore[arg-type]
    with torch.no_grad():
        network.bias[0] = math.nan
    with pytest.raises(UserError, match="the weight 'bias' is not finite at step 9"):
        Trainer._check_weights(trainer)  # type: ignore[arg-type]


def test_a_term_of_another_phase_is_an_empty_cell(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with TrainingLog(folder, ["hole", "judge"], 0, active=True) as log:
        for step in range(1, 5):
            log.add(step, {"hole" if step < 4 else "judge": torch.tensor(float(step))}, images=2)
            if step % 2 == 0:
                log.write()
    rows = [r.split(",") for r in folder.log.read_text().splitlines()]
    # Steps 1 and 2 have the hole alone; 3 has it and 4 the judge: each mean is over one step.
    assert [[r[0], *r[2:]] for r in rows] == [
        ["step", "hole", "judge"],
        ["2", "1.5", ""],
        ["4", "3", "4"],
    ]


def test_a_million_steps_are_written_in_full(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with TrainingLog(folder, ["hole"], 0, active=True) as log:
        log.add(1234567, {"hole": torch.tensor(1.0)}, images=2)
        log.write()
    assert folder.log.read_text().splitlines()[1].startswith("1234567,")


def test_a_row_holds_the_means_over_all_processes(tmp_path: Path) -> None:
    other = torch.tensor([5.0, 7.0])  # the means of the other process

    def average(means: torch.Tensor) -> torch.Tensor:
        return (means + other) / 2

    with TrainingLog(RunFolder(tmp_path), ["hole", "style"], 0, average=average) as log:
        log.add(1, {"hole": torch.tensor(1.0), "style": torch.tensor(3.0)}, images=2)
        row = log.write()
    assert (row["hole"], row["style"]) == (3.0, 5.0)


def test_only_the_first_process_writes_a_log(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with TrainingLog(folder, ["pixel"], 0, active=False) as log:
        log.add(1, {"pixel": torch.tensor(1.0)}, images=2)
        log.write()
    assert not list(tmp_path.iterdir())
