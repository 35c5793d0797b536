"""A sweep on a Slurm cluster: one array of jobs, a job a run, and a last one for the report."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bench.core.errors import UserError
from bench.runs.case import Case
from bench.sweeps.local import command
from bench.sweeps.status import survey
from bench.sweeps.sweep import Sweep

if TYPE_CHECKING:
    import submitit

log = logging.getLogger(__name__)
TIME = re.compile(r"([0-9]{1,6})|(?:([0-9]{1,3})-)?([0-9]{1,4}):([0-9]{2}):([0-9]{2})")
"""Pattern of a time limit: minutes, or days, hours, minutes and seconds."""
SHORTEST = 3
"""Shortest time limit, minutes: a job is told 90 s before, and Slurm may do so a minute early."""
OPTION = re.compile(r"([a-z][a-z-]*)(?:=(.+))?")
"""Pattern of an option of sbatch, by its long name; some have no value."""
ELSEWHERE = {"partition": "partition", "gpus": "gpus", "gpus-per-node": "gpus", "time": "time"}
"""Options of sbatch with an option of their own, `--slurm-...`."""
OURS = frozenset((
    "array", "chdir", "dependency", "error", "input", "job-name", "no-requeue", "nodes", "ntasks",
    "ntasks-per-node", "open-mode", "output", "parsable", "quiet", "signal", "test-only", "wait",
    "wrap",
))  # fmt: skip
"""Options of sbatch on which the launcher depends."""


@dataclass(frozen=True)
class Settings:
    """The resources asked of Slurm for each run; what is empty or 0 is left to the cluster.

    What sbatch would not understand, or the launcher not survive, is a `UserError`.
    """

    at_once: int = 0
    """Largest number of runs at once."""
    partition: str = ""
    gpus: int = 0
    time: str = ""
    """Time limit: minutes, HH:MM:SS or D-HH:MM:SS."""
    options: tuple[str, ...] = ()
    """Other options of sbatch, `KEY=VALUE` or, where it has no value, `KEY`."""

    def __post_init__(self) -> None:
        if self.minutes is not None and self.minutes < SHORTEST:
            raise UserError(
                f"--slurm-time {self.time}: give {SHORTEST} minutes or more; jobs are told 90 "
                "seconds before their end, to write a checkpoint"
            )
        for key in self.sbatch:
            if key in ELSEWHERE:
                raise UserError(f"--slurm {key}: use --slurm-{ELSEWHERE[key]}")
            if key in OURS:
                raise UserError(f"--slurm {key}: the launcher sets this itself; leave it out")

    @property
    def minutes(self) -> int | None:
        """The time limit in minutes, rounded up; None leaves it to the partition."""
        if not self.time:
            return None
        found = TIME.fullmatch(self.time)
        if not found:
            raise UserError(
                f"--slurm-time {self.time}: give minutes, or hours as HH:MM:SS or D-HH:MM:SS"
            )
        minutes, days, hours, rest, seconds = (int(part or 0) for part in found.groups())
        return minutes + (24 * days + hours) * 60 + rest + (seconds > 0)

    @property
    def sbatch(self) -> dict[str, str | bool]:
        """The other options of sbatch by name; those without a value are True."""
        found = {}
        for text in self.options:
            option = OPTION.fullmatch(text)
            if not option:
                raise UserError(
                    f"--slurm {text}: give KEY=VALUE, a long option of sbatch without its dashes, "
                    "as in cpus-per-task=8"
                )
            found[option[1]] = option[2] or True
        return found


def submit(sweep: Sweep, settings: Settings, processes: int = 1, redo: bool = False) -> list[str]:
    """Submit what is left of a sweep, and return the number of each case's job, or nothing for it.

    Cases that are finished, and those that a process works on, get no job. The others get one each
    in an array, of which `settings.at_once` run at a time; with several `processes` torchrun starts
    them. Jobs of a sweep that was submitted before come first: two arrays of one sweep never run
    together. A last job writes the report when all have ended, however they did. Nothing waits for
    the scheduler. Without submitit or Slurm, and for jobs that sbatch refuses, a `UserError`.
    """
    left = _left(sweep, redo)
    if not left:
        return [""] * len(sweep.cases)
    require()
    ends = ["--redo"] if redo else []
    commands = [command([*sweep.words(case), *ends], processes) for case in left]
    jobs = _send(_executor(sweep, settings, "singleton"), commands)
    array, _, _ = jobs[0].partition("_")
    after = _executor(sweep, settings, f"afterany:{array}", end="-report")
    try:
        _send(after, [command(["report", str(sweep.folder)], 1)])
    except UserError as error:
        log.warning("no job will write the report: %s", error)
    log.info(
        "%d runs are in Slurm's queue as job %s; `python -m bench status %s` shows how far they "
        "are, and their logs are %s/%s_*_log.out and .err",
        len(left), array, sweep.folder, _logs(sweep), array,
    )  # fmt: skip
    numbers = dict(zip((case.run.name for case in left), jobs, strict=True))
    return [numbers.get(case.run.name, "") for case in sweep.cases]


def require() -> None:
    """Raise a `UserError` where submitit or Slurm is missing."""
    if find_spec("submitit") is None:
        raise UserError("--launcher slurm needs submitit: `python -m pip install submitit`")
    for program in ("sbatch", "srun"):
        if shutil.which(program) is None:
            raise UserError(
                f"--launcher slurm: there is no {program} here; use a machine of the cluster"
            )


def _left(sweep: Sweep, redo: bool) -> list[Case]:
    """Return the cases for which there is something to do, and nobody does it."""
    sweep.folder.mkdir(parents=True, exist_ok=True)
    over = {"running"} if redo else {"running", "finished"}
    done = {status.run for status in survey(sweep.folder.parent) if status.state in over}
    return [case for case in sweep.cases if case.run.name not in done]


def _executor(
    sweep: Sweep, settings: Settings, dependency: str, end: str = ""
) -> submitit.SlurmExecutor:
    """Return what submits jobs that wait for a dependency; `end` is the end of their name."""
    import submitit

    executor = submitit.SlurmExecutor(_logs(sweep))
    options = settings.sbatch
    cpus = options.get("cpus-per-task")
    executor.update_parameters(
        job_name=_name(sweep) + end,
        dependency=dependency,
        partition=settings.partition or None,
        gpus_per_node=settings.gpus or None,
        time=settings.minutes,
        array_parallelism=settings.at_once or len(sweep.cases),
        # srun no longer takes the number from sbatch.
        srun_args=[f"--cpus-per-task={cpus}"] if cpus else [],
        additional_parameters={"requeue": True, **options},
    )
    return executor


def _send(executor: submitit.SlurmExecutor, commands: list[list[str]]) -> list[str]:
    """Submit a job for each command, as one array, and return their numbers."""
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    from bench.sweeps.requeued import RequeuedCommand

    try:
        jobs = executor.submit_array([RequeuedCommand(words) for words in commands])
    except (FailedJobError, FailedSubmissionError) as error:
        _remove_unsent(executor.folder)
        raise UserError(f"sbatch refused the jobs: {str(error).strip()}") from error
    return [job.job_id for job in jobs]


def _remove_unsent(folder: Path) -> None:
    """Remove what submitit wrote for jobs that got no number."""
    for pattern in (".submission_file_*.sh", f"{'?' * 32}.pkl"):
        for file in folder.glob(pattern):
            if not file.is_symlink():  # as that of a job with a number is
                file.unlink()


def _logs(sweep: Sweep) -> Path:
    """Return the folder of submitit's files: scripts, commands and logs."""
    return (sweep.folder / "slurm").absolute()


def _name(sweep: Sweep) -> str:
    """Return the name of a sweep's jobs, which no other sweep has."""
    folder = sweep.folder.resolve()
    return f"{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
