"""The report of a sweep: of exactly its runs, over what is finished, telling what is missing."""

from dataclasses import asdict
from pathlib import Path

import pytest

from bench.cli.sweep_report import write
from bench.core import sums
from bench.core.files import write_json
from bench.profiling import cost
from bench.runs import run as runs
from bench.sweeps.sweep import DESCRIPTION, Entry
from tests.bench.conftest import Run
from tests.reports.test_build import write_run


def finish(root: Path, method: str, trained: bool = True) -> str:
    """Write a finished run, with sums of its results and of the pictures that all share."""
    made = runs.Run(write_run(root, method, trained=trained).path)
    with made.working():
        pass
    shared = made.pictures.shared
    sums.write(shared, sorted(shared.glob("*.webp")))
    return made.name


def begin(root: Path, name: str, reason: str = "") -> str:
    """Write a run that nobody works on, or one that failed for a reason."""
    made = runs.Run(root / name)
    made.begin({}, {}, {})
    if reason:
        write_json(made.state, {"state": "failed", "reason": reason})
    return name


def describe(folder: Path, report: str, *listed: tuple[str, str], job: str = "") -> None:
    """Describe a sweep of runs, which are given as name and method."""
    entries = [asdict(Entry(name, method, "", [], job)) for name, method in listed]
    write_json(folder / DESCRIPTION, {"report": report, "runs": entries})


def only(folder: Path) -> Path:
    """Return the folder of the one group of runs in a report."""
    (found,) = (path for path in folder.iterdir() if path.is_dir())
    return found


def test_the_report_of_a_sweep_tells_what_is_missing(run: Run, tmp_path: Path) -> None:
    finish(tmp_path, "sigmoid")  # of no sweep
    damaged = finish(tmp_path, "lrelu")
    (tmp_path / damaged / "records.csv").write_text("")
    listed = [
        (finish(tmp_path, "full"), "full"),
        (begin(tmp_path, "forward-0", "the training diverged"), "forward"),
        ("relu-0", "relu"),
        (begin(tmp_path, "3x3-0"), "3x3"),
        (damaged, "lrelu"),
    ]
    describe(tmp_path / "ablation", "ablation", *listed, job="12")
    code, out, err = run("report", tmp_path / "ablation")
    assert code == 2 and "Table 2" in out and "sigmoid" not in out
    told = [
        "missing: forward-0: failed: the training diverged",
        "missing: relu-0: queued: job 12",
        "missing: 3x3-0: stale: no process works on it",
    ]
    *lines, last = err.splitlines()
    assert lines == told and last.startswith(f"missing: {damaged}: damaged: ")
    text = (only(tmp_path / "ablation") / "tables.md").read_text()
    *notes, note = [line for line in text.splitlines() if line.startswith("Missing: ")]
    assert [note.replace("M", "m", 1) for note in notes] == told and damaged in note
    rows = [line.split()[1] for line in text.splitlines() if line.startswith("| ")]
    assert rows[1:6] == ["full", "forward", "relu", "3x3", "lrelu"]
    assert not (tmp_path / "report").exists()


def test_a_sweep_that_is_finished_misses_nothing(run: Run, tmp_path: Path) -> None:
    describe(tmp_path / "mine", "ablation", (finish(tmp_path, "full"), "full"))
    code, out, err = run("report", tmp_path / "mine")
    assert (code, err) == (0, "") and "Missing" not in out and "Table 2" in out


def test_a_comparison_has_the_costs_of_its_runs(run: Run, tmp_path: Path) -> None:
    name = finish(tmp_path, "full")
    made = runs.Run(tmp_path / name)
    write_json(made.cost, asdict(cost.Cost("full", 7, 10**9, 3.0, 5.0, "a machine", 256)))
    made.seal(made.cost)
    listed = [(name, "full"), (finish(tmp_path, "telea", trained=False), "telea")]
    describe(tmp_path / "comparison", "comparison", *listed)
    code, out, _ = run("report", tmp_path / "comparison")
    assert code == 0 and "Table 1" in out and "| full   | 7 " in out


def test_what_failed_just_now_is_missing_whatever_its_folder_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = [(finish(tmp_path, name), name) for name in ("full", "forward")]
    describe(tmp_path / "ablation", "ablation", *listed, ("relu", "relu"))
    failed = {listed[1][0]: "is a finished run with other settings", "relu": "no memory"}
    assert write(tmp_path / "ablation", failed) == 2
    out, err = capsys.readouterr()
    assert err.splitlines() == [f"missing: {run}: failed: {why}" for run, why in failed.items()]
    rows = [line.split() for line in out.splitlines() if line.startswith("| forward")]
    assert len(rows) == 3 and all(row[3] == "-" for row in rows)


def test_a_sweep_without_a_finished_run_is_a_mistake(run: Run, tmp_path: Path) -> None:
    listed = [(begin(tmp_path, name, "why"), "full") for name in "ab"]
    describe(tmp_path / "ablation", "ablation", *listed, ("c", "full"))
    code, out, err = run("report", tmp_path / "ablation")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert err.endswith("ablation is finished: failed: why (a, b); not started (c)\n")
    assert [path.name for path in (tmp_path / "ablation").iterdir()] == [DESCRIPTION]


@pytest.mark.parametrize("words", [["."], ["--out", "x"], ["--image", "i", "--mask", "m"]])
def test_a_sweep_is_reported_alone(run: Run, tmp_path: Path, words: list[str]) -> None:
    describe(tmp_path / "ablation", "ablation", (finish(tmp_path, "full"), "full"))
    code, out, err = run("report", tmp_path / "ablation", *words)
    assert (code, out) == (2, "") and "is a sweep" in err and err.count("\n") == 1


def test_pictures_that_cannot_be_made_again_make_a_run_missing(run: Run, tmp_path: Path) -> None:
    listed = [(finish(tmp_path, name), name) for name in ("full", "forward")]
    next((tmp_path / listed[1][0] / "pictures").iterdir()).write_bytes(b"")
    describe(tmp_path / "ablation", "ablation", *listed)
    code, _, err = run("report", tmp_path / "ablation")
    assert code == 2
    assert f"missing: {listed[1][0]}: damaged: its pictures are incomplete or damaged, and" in err
