"""Submission, with programs in the place of Slurm's; `tests/slurm/run` has a real one."""

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from submitit.core.utils import DelayedSubmission

from bench.core.errors import UserError
from bench.presets import PRESETS
from bench.registry import find
from bench.runs.case import Case
from bench.sweeps.slurm import Settings, submit
from bench.sweeps.sweep import Sweep

Scripts = Callable[[], list[list[str]]]
SBATCH = """#!/bin/sh
number=$(($(ls {folder}/script-* 2>/dev/null | wc -l) + 7))
cp "$1" {folder}/script-$number
echo Submitted batch job $number
"""


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripts:
    """Put a cluster's programs in PATH; return the options of all jobs that sbatch was given."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    program(folder / "srun", "")
    program(folder / "sbatch", SBATCH.format(folder=folder))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def given() -> list[list[str]]:
        found = sorted(folder.glob("script-*"), key=lambda file: int(file.name[7:]))
        return [
            [word for line in file.read_text().splitlines() if line.startswith("#SBATCH ")
             for word in shlex.split(line)[1:]]
            for file in found
        ]  # fmt: skip

    return given


def sweep_of(root: Path, *methods: str) -> Sweep:
    found = [find(method) for method in methods or ("full", "forward", "mean-colour")]
    cases = tuple(Case(m, m.relevant(PRESETS["quick"]), root) for m in found)
    return Sweep(root / "ablation", cases)


def words_of(sweep: Sweep, job: str) -> list[str]:
    submitted = DelayedSubmission.load(sweep.folder / "slurm" / f"{job}_submitted.pkl")
    words: list[str] = submitted.function.words
    return words


def test_one_array_has_a_job_for_each_run_and_a_last_job_reports(
    tmp_path: Path, scripts: Scripts, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = sweep_of(tmp_path)
    with caplog.at_level("INFO", "bench"):
        jobs = submit(sweep, Settings(at_once=2))
    assert jobs == ["7_0", "7_1", "7_2"]
    for case, job in zip(sweep.cases, jobs, strict=True):
        assert words_of(sweep, job) == [sys.executable, "-m", "bench", *sweep.words(case)]
    report = [sys.executable, "-m", "bench", "report", str(sweep.folder)]
    assert words_of(sweep, "8") == report
    array, last = scripts()
    assert {"--array=0-2%2", "--dependency=singleton", "--requeue"} <= set(array)
    assert "--dependency=afterany:7" in last
    assert str(sweep.folder / "slurm/7_*_log.out") in caplog.text


def test_what_is_not_asked_for_is_left_to_the_cluster(tmp_path: Path, scripts: Scripts) -> None:
    submit(sweep_of(tmp_path), Settings())
    array, _ = scripts()
    asked = {word.partition("=")[0] for word in array}
    assert not asked & {"--partition", "--time", "--gpus-per-node", "--cpus-per-task"}
    assert "--array=0-2%3" in array


def test_settings_reach_sbatch(tmp_path: Path, scripts: Scripts) -> None:
    options = ("cpus-per-task=8", "exclusive", "account=a b")
    submit(sweep_of(tmp_path), Settings(0, "gpu", 2, "1-00:30:01", options))
    for job in scripts():
        assert set(job) > {
            "--partition=gpu", "--gpus-per-node=2", "--time=1471", "--cpus-per-task=8",
            "--exclusive", "--account=a b",
        }  # fmt: skip


def test_the_name_of_the_jobs_belongs_to_the_folder(tmp_path: Path, scripts: Scripts) -> None:
    for root in ("a", "a", "b"):
        submit(sweep_of(tmp_path / root), Settings())
    names = [next(w for w in job if w.startswith("--job-name=")) for job in scripts()]
    first, report, again, _, other, _ = names
    assert first == again and report == f"{first}-report" and other != first


def test_runs_that_are_finished_or_in_work_get_no_job(tmp_path: Path, scripts: Scripts) -> None:
    sweep = sweep_of(tmp_path)
    finished, working, _ = (case.run for case in sweep.cases)
    finished.begin({}, {}, {})
    with finished.working():
        pass
    working.begin({}, {}, {})
    with working.locked():
        assert submit(sweep, Settings()) == ["", "", "7"]  # one job is no array
    assert "--dependency=afterany:7" in scripts()[1]
    assert submit(sweep, Settings()) == ["", "9_0", "9_1"]  # its process is dead


def test_nothing_is_submitted_where_nothing_is_left(tmp_path: Path, scripts: Scripts) -> None:
    sweep = sweep_of(tmp_path, "full")
    run = sweep.cases[0].run
    run.begin({}, {}, {})
    with run.working():
        pass
    assert submit(sweep, Settings()) == [""] and not scripts()
    (job,) = submit(sweep, Settings(), redo=True)
    assert words_of(sweep, job)[-1] == "--redo"


def test_several_processes_are_started_by_torchrun(tmp_path: Path, scripts: Scripts) -> None:
    sweep = sweep_of(tmp_path, "full")
    (job,) = submit(sweep, Settings(), processes=2)
    launch = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "bench", "run"]
    assert words_of(sweep, job)[2:8] == launch
    assert words_of(sweep, "8")[2:4] == ["bench", "report"]


@pytest.mark.parametrize("time", ["1", "2", "00:01:30", "0-00:00:10"])
def test_a_time_in_which_nothing_gets_done_is_refused(time: str) -> None:
    with pytest.raises(UserError, match=f"--slurm-time {time}: give 3 minutes or more"):
        Settings(time=time)


@pytest.mark.parametrize("time", ["1h", "-5", "5.5", "1:00", "1-00", "٥"])
def test_a_time_in_another_form_is_refused(time: str) -> None:
    with pytest.raises(UserError, match=f"--slurm-time {time}"):
        Settings(time=time)


@pytest.mark.parametrize(
    ("option", "told"),
    [("--account=x", "give KEY=VALUE"), ("account=", "give KEY=VALUE"), ("", "give KEY=VALUE"),
     ("a=b\nc", "give KEY=VALUE"), ("time=5", "use --slurm-time"), ("gpus=2", "use --slurm-gpus"),
     ("wait", "leave it out"), ("array=0-3", "leave it out")],
)  # fmt: skip
def test_options_that_cannot_work_are_refused(option: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        Settings(options=(option,))


def test_a_refusal_of_sbatch_is_told_in_one_line(tmp_path: Path, scripts: Scripts) -> None:
    sweep = sweep_of(tmp_path)
    submit(sweep, Settings())
    before = set((sweep.folder / "slurm").iterdir())
    program(
        tmp_path / "cluster" / "sbatch", "#!/bin/sh\necho sbatch: no such partition >&2; exit 1"
    )
    with pytest.raises(UserError, match="sbatch refused the jobs: sbatch: no such partition"):
        submit(sweep, Settings())
    assert set((sweep.folder / "slurm").iterdir()) == before  # nothing half written


def test_runs_stay_submitted_where_the_report_is_refused(
    tmp_path: Path, scripts: Scripts, caplog: pytest.LogCaptureFixture
) -> None:
    sbatch = tmp_path / "cluster" / "sbatch"
    program(sbatch, sbatch.read_text() + f"ln -sf /bin/false {sbatch}")
    assert submit(sweep_of(tmp_path, "full"), Settings()) == ["7"]
    assert "no job will write the report" in caplog.text


def test_a_machine_without_slurm_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="there is no sbatch here"):
        submit(sweep_of(tmp_path), Settings())


def test_without_submitit_one_line_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.sweeps.slurm.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install submitit"):
        submit(sweep_of(tmp_path), Settings())
