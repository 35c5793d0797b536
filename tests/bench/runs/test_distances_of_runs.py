"""Distances in runs: where they are kept, and what has to be made when they come or go."""

import logging
import shutil
from pathlib import Path

import pytest

from bench.cli.parser import main
from bench.config import override
from bench.core.files import read_json
from bench.core.run_folder import RunFolder
from bench.evaluation.distances import table
from bench.presets import preset
from bench.registry import find
from bench.runs.experiment import Experiment, restore_pictures
from bench.runs.run import Run
from reports import build
from tests.bench.evaluation.distances.stub import let_few_suffice, stub_for_inception
from tests.bench.runs.test_experiment import SMALL

FEW = {**SMALL, "pairs": 3, "lpips": "off"}


def weights_and_mark(run: RunFolder) -> tuple[int, str]:
    return run.weights.stat().st_mtime_ns, run.records.read_text()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_plots", lambda *_: iter(()))
    monkeypatch.setattr(build, "_figures", lambda *_: None)


@pytest.mark.usefixtures("undrawn")
def test_distances_come_by_a_measurement_and_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    let_few_suffice(monkeypatch)
    experiment = Experiment(find("no-gan"), override(preset("quick"), FEW), tmp_path / "runs")
    run = experiment.execute()
    # Without weights: the reason stands where numbers would, in the report and on the page.
    assert "distances" not in run.read_identity()
    text = build.everything([run], tmp_path / "without")
    reason = "not measured: no ImageNet weights of Inception"
    (page,) = (tmp_path / "without").rglob("report.html")
    assert reason in text and reason in page.read_text()
    before = run.weights.stat().st_mtime_ns, read_json(run.identity)

    stub_for_inception(monkeypatch)
    assert experiment.execute() == run
    assert run.weights.stat().st_mtime_ns == before[0]  # measured again, and not trained
    identity = read_json(run.identity)
    assert identity.pop("distances")["weights"] == "5b5b" and identity == before[1]
    found = table.read([run.distances])
    assert found["value"].notna().all() and set(found["method"]) == {"no-gan", "mean-colour"}
    assert run.damaged() == {}
    text = build.everything([run], tmp_path / "with")
    (page,) = (tmp_path / "with").rglob("report.html")
    assert "**FID (lower is better), composite**" in text
    assert "FID (lower is better), composite" in page.read_text()
    (csv,) = (tmp_path / "with").rglob("distances.csv")
    assert "no-gan,fid,all," in csv.read_text()

    # On a machine without weights, or with --distances off, nothing is thrown away.
    monkeypatch.undo()
    with caplog.at_level(logging.INFO):
        Experiment(
            experiment.method, override(experiment.config, {"distances": "off"}), experiment.root
        ).execute()
    assert "is finished; skipped" in caplog.text
    assert table.read([run.distances])["value"].notna().all()


def test_damaged_distances_are_measured_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    few = {name: FEW[name] for name in ("size", "resize", "lpips")} | {"pairs": 1}
    experiment = Experiment(find("mean-colour"), override(preset("quick"), few), tmp_path)
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
