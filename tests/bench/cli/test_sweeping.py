"""Sweeps from the command line: files, names, and the launchers that need no other process."""

import json
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

from bench.cli import sweeping
from bench.cli.parser import main
from bench.config import Config
from bench.core.errors import UserError
from bench.core.interrupts import Stopped
from bench.registry import find
from bench.runs.case import Case
from bench.sweeps.sweep import Sweep
from tests.bench.conftest import Run

SWEEP = """
preset = "quick"
variants = ["full", "forward"]
seeds = [0, 1]
lpips = "off"
[training]
lr = 0.002
[axes.set.a]
masks = "shapes"
[axes.set.b]
masks = "strokes"
"""


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    file = tmp_path / "sweep.toml"
    file.write_text(SWEEP, encoding="utf-8")
    return file


def test_print_gives_the_command_of_each_run_and_makes_nothing(
    run: Run, sweep: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    words = ["ablate", "--config", sweep, "--launcher", "print", "--lr", "0.5", "--out", out]
    code, printed, _ = run(*words)
    assert code == 0 and not list(out.glob("*/state.json"))
    commands = [shlex.split(line) for line in printed.splitlines()]
    assert all(words[:4] == ["python", "-m", "bench", "run"] for words in commands)
    assert len({tuple(words) for words in commands}) == len(commands) == 2 * 2 * 2
    assert all("--lr=0.5" in words for words in commands)  # the command line wins
    assert sum("--name" in words and "b" in words for words in commands) == 4


def test_a_file_describes_a_run_too(run: Run, tmp_path: Path, monkeypatch: Any) -> None:
    made: list[Case] = []
    monkeypatch.setattr("bench.cli.run.make", lambda case, *_: made.append(case) or "")
    monkeypatch.setattr("reports.build.places", lambda run: "")
    file = tmp_path / "run.toml"
    file.write_text('variant = "forward"\nname = "mine"\n[model]\nwidth = 8\n[training]\nlr = 1\n')
    assert run("run", "--config", file, "--width", "9", "--redo")[0] == 0
    (case,) = made
    assert (case.method.name, case.tag) == ("forward", "mine")
    assert (case.config.model.width, case.config.training.lr) == (9, 1)


def test_the_config_of_a_run_can_be_given_back(run: Run, tmp_path: Path, tiny: list[str]) -> None:
    words = ["run", "--variant", "forward", "--out", tmp_path]
    assert run(*words, *tiny, "--lpips", "off", "--ratio", 0.2, 0.4)[0] == 0
    config = tmp_path / "forward-quick-seed0" / "config.json"
    written = config.with_name("weights.safetensors").stat().st_mtime_ns
    # Other settings would be refused.
    assert run(*words, "--config", config)[0] == 0
    assert config.with_name("weights.safetensors").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("command", "text", "expected"),
    [
        ("run", 'variant = "full"\nlearning = 3', "unknown option 'learning'"),
        ("run", 'variant = "full"\nconfig = "x"', "unknown option 'config'"),
        ("run", 'variant = "full"\n[training]\nsteps = "many"', "--steps: invalid int value"),
        ("run", 'variant = "full"\nredo = 1', "redo is 1; it must be true or false"),
        ("run", 'variant = "full"\n[axes]\nlr = [1, 2]', "describes a sweep; give it to ablate"),
        ("run", "[training]\nsteps = 3", "say what to run: --variant NAME or --baseline NAME"),
        ("ablate", 'variants = ["full", "ful"]', "unknown variant 'ful'"),
        ("ablate", "[axes]\nlr = [1, -2]", "--lr is -2; it must be above 0"),
        ("ablate", '[axes]\nlr = ["a"]', "--lr is 'a'; it must be a number"),
        ("ablate", "[for.ful]\nlr = 1", "unknown method 'ful'"),
        ("ablate", 'launcher = "slrm"', "--launcher slrm: use here"),
    ],
)
def test_mistakes_in_a_file_are_one_line(
    run: Run, tmp_path: Path, command: str, text: str, expected: str
) -> None:
    file = tmp_path / "file.toml"
    file.write_text(text, encoding="utf-8")
    code, _, err = run(command, "--config", file, "--out", tmp_path / "runs")
    assert code == 2 and expected in err.strip() and len(err.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_runs_that_differ_in_an_option_lie_side_by_side_by_name(run: Run, tmp_path: Path) -> None:
    words = [
        "run",
        "--baseline",
        "mean-colour",
        "--pairs",
        "1",
        "--lpips",
        "off",
        "--out",
        tmp_path,
    ]
    assert run(*words)[0] == run(*words, "--masks", "strokes", "--name", "strokes")[0] == 0
    assert {path.parent.name for path in tmp_path.glob("*/state.json")} == {
        "mean-colour-quick", "mean-colour-quick-strokes"
    }  # fmt: skip


def test_an_axis_makes_a_run_and_a_table_for_each_value(
    run: Run, tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    costed: list[str] = []
    monkeypatch.setattr("bench.profiling.cost.of_run", lambda run: costed.append(run.name))
    file = tmp_path / "sweep.toml"
    file.write_text('methods = ["mean-colour", "telea"]\n[axes]\nmasks = ["shapes", "strokes"]')
    code, printed, err = run(
        "compare", "--config", file, *tiny, "--lpips", "off", "--out", tmp_path
    )
    assert code == 0 and printed.count("(settings ") == 2
    assert [line for line in err.splitlines() if line.startswith("[")] == [
        "[1/4] mean-colour-quick-masksshapes", "[2/4] telea-quick-masksshapes",
        "[3/4] mean-colour-quick-masksstrokes", "[4/4] telea-quick-masksstrokes",
    ]  # fmt: skip
    described = json.loads((tmp_path / "comparison" / "sweep.json").read_text())
    assert [entry["tag"] for entry in described["runs"]] == 2 * ["masksshapes"] + 2 * [
        "masksstrokes"
    ]
    assert [entry["run"] for entry in described["runs"]] == costed
    # Each entry's words are the command that finds its run finished.
    assert main(described["runs"][0]["words"]) == 0


def test_whatever_one_method_raises_is_listed_and_a_stop_is_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[BaseException] = [
        UserError("no folder"), KeyError("b"), SystemExit(3), RuntimeError("a\nb")
    ]  # fmt: skip
    config = Config("quick")
    cases = [Case(find("telea"), config, tmp_path, f"n{number}") for number in range(4)]
    left = iter(errors)

    def fail(*_: object) -> None:
        raise next(left)

    monkeypatch.setattr(sweeping, "make", fail)
    failed = sweeping.run_here(Sweep(tmp_path / "comparison", tuple(cases)), redo=False)
    assert list(failed.values()) == [
        "no folder",
        "KeyError: 'b'",
        "SystemExit: 3",
        "RuntimeError: a b",
    ]
    left = iter([Stopped("", signal.SIGTERM)])
    with pytest.raises(Stopped):
        sweeping.run_here(Sweep(tmp_path / "comparison", tuple(cases)), redo=False)


def test_clean_tells_what_would_go_before_it_goes(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "photos").write_bytes(bytes(3 * 2**20))
    code, out, _ = run("clean", tmp_path)
    assert code == 0 and "| cache | " in out and "3.0" in out and "give --yes" in out
    assert run("clean", tmp_path, "--only", "checkpoints")[1].startswith("nothing to remove")
    assert run("clean", tmp_path, "--only", "cache", "--yes")[0] == 0
    assert not (tmp_path / ".cache").exists()


def test_a_dry_run_tells_what_is_left_and_makes_no_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.sweeps.estimate.probe", lambda *_: "no such luck")
    words = ["compare", "--methods", "telea,mean-colour", "--pairs", 1, "--lpips", "off"]
    code, out, _ = run(*words, "--dry-run", "--out", tmp_path / "runs")
    assert code == 0 and not list((tmp_path / "runs").glob("*/state.json"))
    rows = [line.split("|")[1].strip() for line in out.splitlines() if line.startswith("| ")]
    assert rows == ["run", "telea-quick", "mean-colour-quick"]
    assert out.count("probe failed: no such luck") == 2 and "2 of 2 runs are left" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--processes", 2], "--processes has no effect with --launcher here"),
        (["--launcher", "print", "--processes", 2], "--processes has no effect with --launcher"),
        (["--launcher", "local:2", "--slurm-gpus", 1], "without effect; use --launcher slurm"),
        (["--slurm", "mem=3G"], "without effect; use --launcher slurm"),
        (["--launcher", "slurm", "--dry-run", "--slurm-time", "soon"], "--slurm-time soon: give"),
        (["--launcher", "slurm"], "--launcher slurm: there is no sbatch here"),
    ],
)
def test_options_that_a_launcher_cannot_obey_are_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[object], expected: str
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    code, _, err = run("ablate", *words, "--out", tmp_path / "runs")
    assert code == 2 and expected in err and len(err.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()
