"""Distances in runs: where they are kept, and what has to be made when they come or go."""

import shutil
from pathlib import Path

import pytest

from bench.cli.parser import main
from bench.config import override
from bench.evaluation.distances import inception, table
from bench.presets import preset
from bench.registry import find
from bench.runs.experiment import Experiment, restore_pictures
from bench.runs.identity import distances
from bench.runs.plan import Plan, plan
from bench.runs.run import Run
from reports import build
from tests.bench.evaluation.distances.stub import let_few_suffice, stub_for_inception

FEW = {"size": 64, "resize": 88, "pairs": 3, "lpips": "off"}
IDENTITY = {"method": "full", "training.lr": 1}


def test_measuring_distances_trains_nothing_and_throws_none_away(tmp_path: Path) -> None:
    run = Run(tmp_path / "r")
    run.begin(IDENTITY, {}, {})
    with run.working():
        run.weights.write_text("content")
    inception = IDENTITY | distances("5b5b")
    assert plan(run, IDENTITY, "training", redo=False) == Plan("nothing", run)
    assert plan(run, inception, "training", redo=False) == Plan("measurement", run)
    run.begin(inception, {}, {})
    with run.working():
        run.distances.write_text("content")
    # On a machine without weights, or with --distances off.
    assert plan(run, IDENTITY, "training", redo=False) == Plan("nothing", run)
    assert plan(run, IDENTITY | distances("0000"), "training", redo=False).work == "measurement"
    run.distances.write_text("damaged")
    assert plan(run, inception, "training", redo=False).work == "measurement"


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_plots", lambda *_: iter(()))
    monkeypatch.setattr(build, "_figures", lambda *_: None)


@pytest.mark.usefixtures("undrawn")
def test_numbers_stand_where_the_reason_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    let_few_suffice(monkeypatch)
    config = override(preset("quick"), FEW)
    run = Experiment(find("mean-colour"), config, tmp_path / "runs").execute()
    text = build.comparison([run], tmp_path / "report")
    reason = "not measured: no ImageNet weights of Inception"
    (page,) = (tmp_path / "report").rglob("report.html")
    assert reason in text and reason in page.read_text()
    (csv,) = (tmp_path / "report").rglob("distances.csv")
    assert "mean-colour,fid,all," in csv.read_text()
    before = run.read_identity()

    stub_for_inception(monkeypatch)
    Experiment(find("mean-colour"), config, tmp_path / "runs").execute()
    assert run.read_identity() == before | distances("5b5b")
    found = table.read([run.distances])
    assert found["value"].notna().all() and run.damaged() == {}
    text = build.run_text(run)
    assert "**FID (lower is better), composite**" in text and reason not in text


def test_damaged_distances_are_measured_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = override(preset("quick"), FEW)
    experiment = Experiment(find("mean-colour"), config, tmp_path)
    run = experiment.execute()
    kept = run.distances.read_text()
    run.distances.write_text(kept.replace("different", "changed"))
    assert set(run.damaged()) == {"distances.csv"}
    experiment.execute()
    assert run.distances.read_text() == kept and "distances.csv" in caplog.text
    run.distances.unlink()
    experiment.execute()
    assert run.distances.read_text() == kept and run.damaged() == {}
    shutil.rmtree(run.path / "pictures")
    let_few_suffice(monkeypatch)
    monkeypatch.setattr(inception, "load", lambda *_: 1 / 0)
    restore_pictures(Run(run.path), tmp_path)  # needs no Inception, and keeps the distances
    assert run.distances.read_text() == kept and run.damaged() == {}


def test_on_without_weights_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    words = "run --baseline mean-colour --size 64 --resize 88 --pairs 1 --lpips off --distances on"
    assert main([*words.split(), "--out", str(tmp_path / "runs")]) == 2
    *_, line = capsys.readouterr().err.strip().splitlines()
    assert "--distances on: no ImageNet weights of Inception" in line
    assert "--inception-weights FILE" in line
    assert not list((tmp_path / "runs").glob("mean*"))
