import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bench.config import override
from bench.core.run_folder import RunFolder
from bench.presets import preset
from bench.training.log import TrainingLog
from bench.training.trainer import Trainer, checkpoints, total_steps


def test_a_warning_of_the_learner_is_passed_on_once(caplog: pytest.LogCaptureFixture) -> None:
    learner = SimpleNamespace(warning=lambda row: "all is lost" if row["real"] > 0.9 else "")
    trainer = SimpleNamespace(learner=learner, warned=False)
    with caplog.at_level(logging.WARNING):
        for step, real in enumerate([0.5, 0.99, 0.99]):
            Trainer._warn(trainer, step, {"real": real})  # type: ignore[arg-type]
    assert [r.message for r in caplog.records] == ["step 1: all is lost"]


def test_the_budget_is_steps_or_epochs() -> None:
    config = override(preset("paper"), {"epochs": 3, "batch_size": 4})
    assert total_steps(config, images=10) == 8  # 30 images in batches of 4
    assert total_steps(override(config, {"steps": 5}), images=10) == 5


def test_a_half_written_checkpoint_is_not_one(tmp_path: Path) -> None:
    for name in ("00000010", "00000020", ".00000030"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    assert [p.name for p in checkpoints(RunFolder(tmp_path))] == ["00000010", "00000020"]


def test_a_log_holds_means_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with TrainingLog(folder, ["pixel"], 0, active=True) as log:
        for step in range(1, 7):
            log.add(step, {"pixel": torch.tensor(float(step))}, images=2)
            if step % 2 == 0:
                row = log.write()
                assert row["pixel"] == step - 0.5
        log.write_validation(6, 20.0)
    with folder.log.open("a") as file:
        file.write("8,1")  # the process was killed while it wrote
    with TrainingLog(folder, ["pixel"], 4, active=True) as log:
        log.add(5, {"pixel": torch.tensor(9.0)}, images=2)
        log.write()
    rows = folder.log.read_text().splitlines()
    assert rows[0] == "step,images_per_s,pixel"
    assert [r.split(",")[0] for r in rows[1:]] == ["2", "4", "5"]
    assert folder.validation.read_text() == "step,psnr\n"


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
