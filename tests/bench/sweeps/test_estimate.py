import csv
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.config import override
from bench.core.errors import UserError
from bench.runs.case import Case
from bench.runs.run import Run
from bench.sweeps import estimate as module
from bench.sweeps.estimate import Probe, Row, Work, estimate, probe, together
from bench.sweeps.launcher import Launcher
from bench.sweeps.sweep import Sweep
from bench.training.checkpoints import KEPT
from tests.bench.sweeps.test_prepare import TINY, seeds, sweep

HERE = Launcher("here")
KNOWN = Probe(
    start=10, step=2, validation=5, checkpoint=7, pair=3, images=6,
    once_bytes=1000, validation_bytes=20, checkpoint_bytes=300, pair_bytes=4, picture_bytes=50,
    shared_bytes=60,
)  # fmt: skip
LONG = override(
    TINY, {"steps": 100, "validate_every": 25, "checkpoint_every": 20, "checkpoint_minutes": 1e6}
)


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of runs that are probed, without a probe."""
    names: list[str] = []

    def known(sweep: Sweep, case: Case, *_: object) -> Probe:
        names.append(case.run.name)
        return KNOWN

    monkeypatch.setattr(module, "probe", known)
    return names


def test_time_and_disk_are_sums_of_counts_times_parts(tmp_path: Path, probed: list[str]) -> None:
    found = estimate(sweep(tmp_path, [("no-gan", LONG), ("telea", LONG)]), HERE)
    trained, algorithm = found.rows
    # Validated after 25, 50, 75 and the end; written after 20, 40, 60, 80 and the end.
    seconds = 10 + 100 * 2 + 3 * 5 + 4 * 7 + 4 * 3
    kept = 1000 + 4 * 20 + 4 * 4 + 4 * 50
    assert trained == Row("no-gan-quick-seed0", "not started", Work(100, 3, 4, 4, 4), seconds, kept)
    assert (algorithm.left, algorithm.seconds) == (Work(0, 0, 0, 4, 4), 10 + 4 * 3)
    assert found.seconds == trained.seconds + algorithm.seconds
    # The inputs of the four pairs lie there once, and checkpoints while a run is in work.
    assert found.bytes == trained.bytes + algorithm.bytes + 4 * 60 + (KEPT + 1) * 300
    assert trained.cells() == [
        "no-gan-quick-seed0", "not started", "100 steps, 4 pairs", "04:25", "1.30kB", "-"
    ]  # fmt: skip
    assert str(found).startswith("2 of 2 runs are left: about 04:47 with 1 at once, and ")
    assert [path.name for path in tmp_path.iterdir()] == [".cache"]


def test_checkpoints_that_are_to_stay_count(tmp_path: Path, probed: list[str]) -> None:
    given = [sweep(tmp_path, [("no-gan", LONG)]),
             sweep(tmp_path, [("no-gan", override(LONG, {"keep_checkpoints": True}))])]  # fmt: skip
    goes, stays = (estimate(one, HERE) for one in given)
    assert stays.rows[0].bytes - goes.rows[0].bytes == KEPT * 300
    assert stays.bytes == goes.bytes  # while the run is in work


def test_checkpoints_are_counted_by_time_where_steps_are_slow(
    tmp_path: Path, probed: list[str]
) -> None:
    slow = override(LONG, {"checkpoint_minutes": 0.5})  # each 15 steps of 2 s
    (row,) = estimate(sweep(tmp_path, [("no-gan", slow)]), HERE).rows
    assert row.left.checkpoints == 6


def test_epochs_are_counted_in_steps(tmp_path: Path, probed: list[str]) -> None:
    long = override(LONG, {"steps": 0, "epochs": 7})  # of six images, two a step
    (row,) = estimate(sweep(tmp_path, [("no-gan", long)]), HERE).rows
    assert row.left.steps == 21


def test_each_config_is_probed_once_whatever_the_seed(tmp_path: Path, probed: list[str]) -> None:
    cases = [("no-gan", config) for config in seeds(0, 1)] + [("forward", seeds(0)[0])]
    found = estimate(sweep(tmp_path, cases), Launcher("local", 2))
    assert sorted(probed) == ["forward-quick-seed0", "no-gan-quick-seed1"]
    one = found.rows[0].seconds
    assert [row.seconds for row in found.rows] == [one] * 3 and found.seconds == 2 * one


def test_runs_go_to_the_place_that_is_free_first() -> None:
    assert together([5, 1, 1, 2], 2) == 5
    assert together([1, 1, 5], 2) == 6
    assert together([], 3) == 0


def test_what_is_done_is_not_left(tmp_path: Path, probed: list[str]) -> None:
    names = ("no-gan", "forward", "no-gan", "3x3")  # the third under another seed
    configs = [LONG, LONG, override(LONG, {"seed": 1}), LONG]
    given = sweep(tmp_path, list(zip(names, configs, strict=True)))
    finished, begun, absent, trained = (case.run for case in given.cases)
    for run in (finished, begun, trained):
        run.begin({"method": "x"}, {}, {})
    with finished.working():
        finished.records.write_text("1")
    for step in (20, 40):
        (begun.checkpoints / f"{step:08d}").mkdir(parents=True)
        (begun.checkpoints / f"{step:08d}" / "file").write_bytes(bytes(100))
    trained.weights.write_bytes(bytes(100))
    trained.seal()
    rows = estimate(given, HERE).rows
    assert [row.state for row in rows] == ["finished", "stale", "not started", "stale"]
    assert (rows[0].left, rows[0].seconds, rows[0].cells()[2:]) == (Work(), 0, ["-"] * 4)
    assert rows[1].left == Work(60, 2, 2, 4, 4)  # it goes on after step 40
    assert rows[1].bytes < KNOWN.bytes(Work(100, 3, 4, 4, 4)) - 200
    assert rows[2].left.steps == 100 and absent.progress == "absent"
    assert rows[3].left == Work(0, 0, 0, 4, 4)  # it is trained, and not measured
    assert finished.name not in probed
    done = replace(given, cases=given.cases[:1])
    assert str(estimate(done, HERE)) == "nothing is left: all runs are finished"
    again = estimate(given, HERE, redo=True).rows
    assert [row.left.steps for row in again] == [100] * 4


@pytest.mark.slow
def test_a_probe_runs_the_real_command_and_reads_what_it_took(tmp_path: Path) -> None:
    config = override(TINY, {"pairs": 2, "seed": 3, "cache": str(tmp_path / "cache")})
    given = sweep(tmp_path / "runs", [("no-gan", config)])
    known = probe(given, given.cases[0], tmp_path / "probe")
    assert isinstance(known, Probe), known
    run = Run(tmp_path / "probe" / "no-gan-quick-seed3")
    assert run.progress == "finished" and not (tmp_path / "runs").exists()
    with run.log.open() as file:
        steps = [2 / float(row["images_per_s"]) for row in csv.DictReader(file)]
    assert min(steps[1:]) <= known.step <= max(steps[1:])
    assert known.validation == pytest.approx(max(0, steps[4] - known.step))
    assert known.checkpoint == pytest.approx(max(0, steps[6] - known.step))
    assert known.start > 0 and known.pair > 0 and known.images == 6
    checkpoint = run.checkpoints / "00000008"
    assert known.checkpoint_bytes == pytest.approx(tree(checkpoint), rel=0.05)
    # What the probe itself kept is told without a rest: two validations, eight pairs, all pictured.
    assert known.bytes(Work(8, 1, 1, 8, 8, 2)) == pytest.approx(tree(run.path))
    assert known.shared_bytes * 8 == pytest.approx(tree(tmp_path / "probe" / "pairs"))


def tree(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Failed:
    returncode, stderr = 2, "train:  12%\rtrain:  25%\nerror: out of memory; lower --width\n"


@pytest.mark.slow
def test_a_probe_that_fails_is_told_and_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.subprocess.run

    def run(command: list[str], **settings: Any) -> Any:
        return Failed() if "no-gan" in command else real(command, **settings)

    monkeypatch.setattr(module.subprocess, "run", run)
    found = estimate(sweep(tmp_path, [("no-gan", TINY), ("mean-colour", TINY)]), HERE)
    failed, algorithm = found.rows
    assert failed.note == "probe failed: out of memory; lower --width"
    assert failed.cells()[2:5] == ["-", "-", "-"]
    assert algorithm.left == Work(0, 0, 0, 4, 4) and algorithm.seconds > 0 < algorithm.bytes
    assert "2 of 2 runs are left" in str(found) and "without 1 of which nothing" in str(found)


def test_a_probe_has_the_share_of_the_machine_that_its_launcher_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def run(words: list[str], env: Any, **_: Any) -> Failed:
        seen.extend([words, env])
        return Failed()

    monkeypatch.setattr(module.subprocess, "run", run)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(12)))
    given = sweep(tmp_path, [("telea", TINY), ("mean-colour", TINY)])
    given = replace(given, report="comparison")
    estimate(given, HERE)
    found = estimate(given, Launcher("local", 3), processes=2)
    assert found.at_once == 2  # there are no more runs
    one, usual, *_, two, shared = seen
    assert "--cost" in one  # as in the runs of a comparison
    assert usual is None and "torch.distributed.run" not in one  # the environment of this process
    assert shared["OMP_NUM_THREADS"] == "3" and "--nproc-per-node=2" in two


def test_what_cannot_be_launched_is_told_before_a_probe(tmp_path: Path, probed: list[str]) -> None:
    with pytest.raises(UserError, match="unknown method 'nobody'"):
        estimate(sweep(tmp_path, [("telea", override(TINY, {"references": "nobody"}))]), HERE)
    assert not probed
