"""Sweeps on a real Slurm, and what they survive; the script `run` starts it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from cluster import cluster, queue, slurm, until

from bench.core.heartbeat import read
from bench.runs.run import Run
from bench.sweeps.status import survey
from bench.sweeps.sweep import entries, run_of

VARIANTS = ("full", "unlearned", "forward", "no-gan", "sigmoid", "lrelu", "relu", "3x3")
TINY = shlex.split(
    "--size 64 --resize 88 --width 4 --depth 4 --critic-width 4 --batch-size 2 --pairs 2 "
    "--validation-pairs 1 --log-every 1 --precision fp32 --lpips off"
)
"""Options of a run of seconds."""


@dataclass(frozen=True)
class Asked:
    """A sweep that Slurm is asked to make, as often as one likes."""

    root: Path
    variants: Sequence[str]
    steps: int

    @property
    def folder(self) -> Path:
        return self.root / "ablation"

    @property
    def runs(self) -> list[Run]:
        return [run_of(self.folder, entry) for entry in entries(self.folder)]

    @property
    def states(self) -> list[str]:
        """The states of the runs, in the order of the variants."""
        states = {status.run: status.state for status in survey(self.folder)}
        return [states[run.name] for run in self.runs]

    def ablate(self, root: Path, *options: str) -> str:
        """Carry out the command of the sweep, with its runs in a folder; return what it says."""
        words = ["--variants", ",".join(self.variants), "--steps", str(self.steps), *TINY, *options]
        command = [sys.executable, "-m", "bench", "ablate", *words, "--out", str(root)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stderr

    def again(self, *options: str, launcher: str = "slurm") -> list[str]:
        """Ask for what is left, and return the jobs of the runs."""
        before = time.monotonic()
        *_, told = self.ablate(self.root, "--launcher", launcher, *options).splitlines()
        jobs = [entry.job for entry in entries(self.folder)]
        print(f"asked in {time.monotonic() - before:.1f} s, and got the jobs {jobs}: {told}")
        return jobs

    def trains(self, number: int, beyond: int = 2) -> bool:
        """Return whether a run is in training, and beyond a step."""
        beat = read(self.runs[number].heartbeat)
        return beat is not None and beat.phase == "training" and beat.step > beyond

    def finished(self) -> bool:
        """Return whether all is over, the report too; no job is held after its requeue."""
        jobs = queue()
        for job, state in jobs.items():
            if state == "PENDING BeginTime":  # for two minutes, before it may begin again
                slurm(f"scontrol update job={job} StartTime=now", check=False)
        return not jobs

    def check(self) -> None:
        """Assert that all runs are there, and their report."""
        assert set(self.states) == {"finished"}, self.states
        assert list(self.folder.rglob("report.html")), "no report"

    def compare(self) -> None:
        """Assert that the runs are those that nothing disturbs, bit for bit."""
        self.ablate(self.root / "undisturbed")
        for run in self.runs:
            other = Run(self.root / "undisturbed" / run.name)
            _same_records(run, other)
            assert run.weights.read_bytes() == other.weights.read_bytes()
            print(f"{run.name}: records and weights are those of an undisturbed run")


def _same_records(run: Run, other: Run) -> None:
    found, expected = (pd.read_csv(r.records).drop(columns="seconds") for r in (run, other))
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def restarts(job: str) -> int:
    """Return how often Slurm began a job again."""
    found = re.search(r"Restarts=(\d+)", slurm(f"scontrol show job {job}"))
    assert found is not None
    return int(found[1])


def array(folder: Path) -> None:
    """All eight variants, two at a time, and then the report."""
    asked, most = Asked(folder, VARIANTS, steps=4), 0
    jobs = asked.again(launcher="slurm:2")

    def over() -> bool:
        nonlocal most
        states = queue()
        most = max(most, sum("RUNNING" in states.get(job, "") for job in jobs))
        return not states

    until(over, "the array and the report are over")
    assert len(jobs) == 8 and most == 2, (jobs, most)
    assert set(asked.again()) == {""} and not queue()  # nothing is left
    asked.check()


def preemption(folder: Path) -> None:
    """Two jobs give way to an urgent one, and go on; one is requeued by an administrator."""
    asked = Asked(folder, ("full", "forward"), steps=60)
    jobs = asked.again()
    until(lambda: asked.trains(0) and asked.trains(1), "both train")
    slurm("sbatch --partition=urgent --ntasks=2 --output=/dev/null --wrap=true")
    until(lambda: all(restarts(job) == 1 for job in jobs), "both have given way")
    assert asked.states == ["stopped", "stopped"]
    until(lambda: not asked.finished() and asked.trains(0), "the first goes on")
    slurm(f"scontrol requeue {jobs[0]}")
    until(asked.finished, "all is over")
    assert [restarts(job) for job in jobs] == [2, 1]
    asked.check()
    asked.compare()


def kill(folder: Path) -> None:
    """A worker is killed, a job is cancelled; asking again brings what is left, and no more."""
    asked = Asked(folder, ("full", "forward"), steps=200)
    _, other = asked.again()
    until(lambda: asked.trains(0) and asked.trains(1), "both train")
    beat = read(asked.runs[0].heartbeat)
    assert beat is not None
    os.kill(beat.pid, signal.SIGKILL)
    until(lambda: beat.job not in queue(), "the job of the killed worker is over")
    assert asked.states == ["stale", "running"]
    job, none = asked.again()
    assert none == "" and queue()[job] == "PENDING Dependency"  # one array at a time
    slurm(f"scancel {other}")
    until(lambda: asked.trains(0, beyond=beat.step), "the killed run goes on")
    assert other not in queue() and restarts(other) == 0  # a cancelled job is not brought back
    assert asked.states == ["running", "stopped"]
    assert asked.again()[0] == ""
    until(asked.finished, "all is over")
    asked.check()
    asked.compare()


def time_limit(folder: Path) -> None:
    """A run is longer than its time limit, and is requeued until it is finished."""
    asked = Asked(folder, ("full",), steps=3000)
    (job,) = asked.again("--slurm-time", "3")
    until(asked.finished, "all is over", seconds=3600)
    print(f"requeued {restarts(job)} times")
    assert restarts(job) >= 2
    asked.check()
    asked.compare()


SCENARIOS: dict[str, Callable[[Path], None]] = {
    "array": array, "preemption": preemption, "kill": kill, "time": time_limit,
}  # fmt: skip


def main(names: Sequence[str]) -> None:
    """Carry out some scenarios, or all of them; their folder stays where one fails."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    print(f"in {folder}")
    with cluster(folder / "cluster", cpus=2):
        for name in names or SCENARIOS:
            print(f"== {name}: {SCENARIOS[name].__doc__}", flush=True)
            SCENARIOS[name](folder / name)
    shutil.rmtree(folder)
    print("all as it should be")


if __name__ == "__main__":
    main(sys.argv[1:])
