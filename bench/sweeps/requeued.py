"""The job of one run on a Slurm cluster: a command line that may be stopped and goes on later."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

import submitit

from bench.core.interrupts import GO_ON_LATER

REQUEUES = 1_000_000
"""Number that submitit's log names as the requeues that are left: there is no limit."""


class RequeuedCommand:
    """A command line, which is all that submitit pickles of a run.

    It is stopped in good order when Slurm preempts the job or its time ends, and the job is
    requeued: the same command goes on with its checkpoint. Slurm signals all processes of a job,
    and this one watches the command's. submitit's own handlers, which would act inside of
    `Popen.wait`, wait for a lock that it holds, and count the requeues, are not used.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)

    def __call__(self) -> None:
        """Carry the command out; requeue the job, or leave with the command's exit code."""
        code, asked = _carry_out(self.words)
        if code == GO_ON_LATER or (asked and code):  # torchrun ends with 1, whatever it runs
            _go_on_later()
        if code:
            sys.exit(code if code > 0 else 128 - code)  # as shells have it


def _carry_out(words: list[str]) -> tuple[int, bool]:
    """Return a command's exit code, and whether it was asked to stop: once, by SIGTERM."""
    notice = submitit.JobEnvironment._usr_sig()
    signals = {notice, signal.SIGTERM, signal.SIGCHLD}
    # The command inherits the mask, and would otherwise die of a signal that is not meant for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {notice})
    command = subprocess.Popen(words)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    asked = False
    while command.poll() is None:
        if signal.sigwait(signals) != signal.SIGCHLD and not asked:
            asked = True
            command.terminate()
    return command.returncode, asked


def _go_on_later() -> NoReturn:
    """Requeue this job and leave it."""
    job = submitit.JobEnvironment()
    if job.cluster != "slurm" or _is_running(job.job_id):
        job._requeue(REQUEUES)
    sys.exit(GO_ON_LATER)


def _is_running(job: str) -> bool:
    """Return whether Slurm still wants a job: to requeue a cancelled one would bring it back."""
    query = ["squeue", "--noheader", "--format=%T", f"--jobs={job}"]
    found = subprocess.run(query, capture_output=True, text=True, timeout=60, check=True)
    return found.stdout.strip() == "RUNNING"
