import logging
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator

from bench.core import sums
from bench.core.errors import UserError
from bench.core.files import write_json
from bench.core.run_folder import RunFolder
from bench.training.checkpoints import Checkpoints
from bench.training.log import TrainingLog

FILES = ["model.safetensors", "optimizer.bin", "random_states_0.pkl", "log-0.json", "position.json"]


class Training:
    """The parts of a training that a checkpoint holds: a layer and its optimizer."""

    def __init__(self, folder: Path) -> None:
        accelerator = Accelerator(cpu=True)
        layer = torch.nn.Linear(3, 2)
        self.layer, self.optimizer = accelerator.prepare(
            layer, torch.optim.Adam(layer.parameters())
        )
        self.checkpoints = Checkpoints(RunFolder(folder), accelerator)
        self.rows = TrainingLog(RunFolder(folder), ["pixel"], 0)

    def step(self, number: int) -> None:
        self.optimizer.zero_grad()
        self.layer(torch.full((4, 3), float(number))).square().sum().backward()
        self.optimizer.step()
        self.checkpoints.write(number, self.rows)

    def weights(self) -> list[float]:
        values: list[float] = torch.cat([p.flatten() for p in self.layer.parameters()]).tolist()
        return values


@pytest.fixture
def training(tmp_path: Path) -> Training:
    """A training with checkpoints after steps 1, 2 and 3, of which two are kept."""
    training = Training(tmp_path)
    for number in (1, 2, 3):
        training.step(number)
    return training


def test_the_clock_starts_again_with_each_checkpoint(training: Training) -> None:
    before = training.checkpoints.written
    training.step(4)
    assert training.checkpoints.written > before


def test_two_are_kept_and_the_newest_is_loaded(training: Training) -> None:
    assert [p.name for p in training.checkpoints.complete()] == ["00000002", "00000003"]
    newest = training.checkpoints.newest()
    assert newest is not None and set(FILES) < {p.name for p in newest.iterdir()}
    before = training.weights()
    training.step(4)
    assert training.weights() != before
    assert training.checkpoints.load(newest) == 3
    assert training.weights() == before


def test_a_half_written_one_is_none_and_many_steps_stay_in_order(tmp_path: Path) -> None:
    for name in ("00000010", "00000020", ".00000030.tmp", "100000000"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    found = Checkpoints(RunFolder(tmp_path), Accelerator(cpu=True)).complete()
    assert [p.name for p in found] == ["00000010", "00000020", "100000000"]


@pytest.mark.parametrize("name", [*FILES, sums.FILE])
@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty", "lost"])
def test_the_older_is_used_where_the_newest_is_damaged(
    training: Training, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    older, newest = training.checkpoints.complete()
    file = newest / name
    content = file.read_bytes()
    if damage == "lost":
        file.unlink()
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        file.write_bytes({"flipped": flipped, "truncated": content[:middle], "empty": b""}[damage])
    with caplog.at_level(logging.WARNING):
        assert training.checkpoints.newest() == older
    assert str(newest) in caplog.text and "an older checkpoint is used" in caplog.text


def test_without_a_sound_one_the_training_begins_again(training: Training) -> None:
    for path in training.checkpoints.complete():
        write_json(path / "position.json", {"step": 1000})
    assert training.checkpoints.newest() is None


def test_a_full_disk_is_told_and_nothing_half_written_stays(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: str) -> None:
        Path(folder).mkdir(parents=True)
        Path(folder, "optimizer.bin").write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:672]")  # as torch says it

    usage: Any = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 0))
    monkeypatch.setattr(training.checkpoints.accelerator, "save_state", full)
    with pytest.raises(UserError, match=r"optimizer\.bin: the disk is full; a checkpoint needs"):
        training.step(4)
    folder = training.checkpoints.folder
    assert sorted(p.name for p in folder.iterdir()) == ["00000002", "00000003"]
    monkeypatch.undo()
    training.step(5)
    assert [p.name for p in training.checkpoints.complete()] == ["00000003", "00000005"]
