"""Trackers get the rows of the log, and none of them can end a training."""

import logging
from pathlib import Path
from typing import Any

import pytest
from accelerate import PartialState, tracking

from bench.config import override
from bench.core.errors import UserError
from bench.core.run_folder import RunFolder
from bench.presets import preset
from bench.registry import find
from bench.runs.experiment import Experiment
from bench.training import tracker
from bench.training.tracker import Tracker
from tests.bench.runs.test_experiment import SMALL

CONFIG = preset("quick")


class Kept:
    """Stands for a tracker of accelerate's, and keeps what it gets."""

    def __init__(self, *names: Any, **settings: Any) -> None:
        self.names, self.settings, self.sent, self.finished = names, settings, [], False

    def start(self) -> None:
        self.started = True

    def store_init_configuration(self, values: dict[str, str]) -> None:
        self.stored = values

    def log(self, values: dict[str, float], step: int) -> None:
        self.sent.append((step, values))

    def finish(self) -> None:
        self.finished = True


@pytest.mark.parametrize(
    ("name", "kind"),
    [("wandb", "WandBTracker"), ("mlflow", "MLflowTracker"), ("trackio", "TrackioTracker")],
)
def test_a_tracker_gets_settings_and_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.setattr(tracking, kind, Kept)
    made = Tracker(name, RunFolder(tmp_path / "full-quick-seed0"), CONFIG, 0)
    made.log({"pixel": 0.5}, 3)
    made.finish()
    assert made.inner.started and made.inner.sent == [(3, {"pixel": 0.5})] and made.inner.finished
    assert made.inner.names == ("lbam-bench",) and made.inner.stored["training.steps"] == "220"
    assert "full-quick-seed0" in made.inner.settings.values()


def test_a_tracker_that_fails_is_given_up_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("no\nnetwork")

    monkeypatch.setattr(Kept, "log", fail)
    monkeypatch.setattr(tracking, "WandBTracker", Kept)
    with caplog.at_level(logging.WARNING):
        made = Tracker("wandb", RunFolder(tmp_path), CONFIG, 0)
        for step in range(3):
            made.log({"pixel": 0.5}, step)
        made.finish()
    assert [record.message for record in caplog.records] == [
        "--tracker wandb is given up: ConnectionError: no network"
    ]
    monkeypatch.setattr(Kept, "start", fail)
    assert Tracker("wandb", RunFolder(tmp_path), CONFIG, 0).inner is None


def test_a_package_that_is_missing_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "get_available_trackers", list)
    config = override(CONFIG, SMALL | {"tracker": "mlflow"})
    with pytest.raises(UserError, match="--tracker mlflow: its package is not installed"):
        Experiment(find("no-gan"), config, tmp_path).execute()
    assert not (tmp_path / "no-gan-quick-seed0").exists()
    tracker.check("none")


def test_tensorboard_has_the_curves_of_the_tables_where_it_is_asked_for(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    PartialState()
    config = override(CONFIG, SMALL | {"tracker": "tensorboard"})
    run = Experiment(find("no-gan"), config, tmp_path).execute()
    found = accumulator.EventAccumulator(str(run.tensorboard)).Reload()
    events = found.Scalars("pixel")
    rows = [line.split(",") for line in run.log.read_text().splitlines()]
    column = rows[0].index("pixel")
    assert [event.step for event in events] == [int(row[0]) for row in rows[1:]]
    assert [event.value for event in events] == pytest.approx(
        [float(row[column]) for row in rows[1:]], rel=1e-5
    )
    assert found.Scalars("psnr")
    other = Experiment(find("forward"), override(CONFIG, SMALL), tmp_path).execute()
    assert not other.tensorboard.exists()  # not in silence
