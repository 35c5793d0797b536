"""The launcher `local`: several runs of a sweep at once on this machine."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from tqdm import tqdm

from bench.core.errors import UserError
from bench.core.files import writing
from bench.core.heartbeat import STOPPED, Beat
from bench.core.interrupts import (
    GO_ON_LATER,
    INTERRUPTED,
    Stopped,
    StopRequest,
    stop_requests,
)
from bench.runs.case import Case
from bench.runs.run import IN_WORK, Run, last_beat
from bench.sweeps.shares import environments
from bench.sweeps.status import duration
from bench.sweeps.sweep import Sweep

PAUSE = 0.5
"""Seconds between two looks at the processes."""


def launch(sweep: Sweep, workers: int, processes: int = 1, redo: bool = False) -> dict[str, str]:
    """Make the runs of a sweep, `workers` at once; return why some failed, by their names.

    Each run is one command line, and `processes` processes train it. What it prints is added to
    `logs/RUN.log` in the sweep's folder. Failure of one stops no other, and a run that another
    process works on is waited for.

    After a signal that asks to stop no more runs begin; those in work keep what they have, and the
    end is a `Stopped`. A second Ctrl-C kills them, and is a `KeyboardInterrupt`.
    """
    logs = sweep.folder / "logs"
    with writing(logs):
        logs.mkdir(parents=True, exist_ok=True)
    jobs = []
    for number, case in enumerate(sweep.cases, 1):
        words = [*sweep.words(case), *(["--redo"] if redo else [])]
        title = f"[{number}/{len(sweep.cases)}] {case.run.name}"
        jobs.append(Job(case, title, command(words, processes), logs, redo))
    shares = environments(min(workers, len(jobs)), processes)
    slots = [Slot(number, environment) for number, environment in enumerate(shares)]
    with stop_requests() as request:
        try:
            _carry_out(jobs, slots, request)
        finally:
            for slot in slots:
                slot.close()
    if request.number:
        raise Stopped("stopped; the same command goes on with what is left", request.number)
    return {job.case.run.name: job.failure for job in jobs if job.failure}


def command(words: Sequence[str], processes: int) -> list[str]:
    """Return the command line of words after `python -m bench`, for one process or several."""
    several = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return [sys.executable, *(several if processes > 1 else []), "-m", "bench", *words]


def _carry_out(jobs: Sequence[Job], slots: Sequence[Slot], request: StopRequest) -> None:
    """Give each slot one job after the other, until none is left or a signal asks to stop."""
    left = deque(jobs)
    stopping = False
    while left or any(slot.job for slot in slots):
        if request.number and not stopping:
            stopping = True
            left.clear()
            tqdm.write("stopping: runs keep what they have; Ctrl-C kills them", file=sys.stderr)
            for slot in slots:
                slot.stop()
        for slot in slots:
            if left and slot.job is None:
                slot.job = left.popleft()
            slot.advance()
        time.sleep(PAUSE)


class Slot:
    """A place for one job at a time, with a share of the machine and a line on the terminal."""

    def __init__(self, number: int, environment: dict[str, str]) -> None:
        self.environment = environment
        self.job: Job | None = None
        self.bar = tqdm(
            position=number,
            leave=False,
            disable=None,  # where standard error is no terminal
            dynamic_ncols=True,
            bar_format="{desc} |{bar}| {percentage:3.0f}%",
        )

    def advance(self) -> None:
        """Go on with the job, if there is one, and show how far it is."""
        if self.job is not None:
            self.job.advance(self.environment)
            if self.job.over:
                self.job = None
        if not self.bar.disable:
            self._show()

    def stop(self) -> None:
        """Ask the job to stop, if there is one."""
        if self.job is not None:
            self.job.stop()
            if self.job.over:
                self.job = None

    def close(self) -> None:
        """Take the line from the terminal; a process that is still there is killed."""
        self.bar.close()
        if self.job is not None:
            self.job.kill()

    def _show(self) -> None:
        beat = last_beat(self.job.run) if self.job else None
        steps = (beat.step, beat.steps) if beat and beat.phase == "training" else (0, None)
        self.bar.n, self.bar.total = steps
        self.bar.set_description_str(f"{self.job.title}: {progress(beat)}" if self.job else "idle")


class Job:
    """The work on one case: it waits for another process, or has a process of its own."""

    def __init__(self, case: Case, title: str, command: list[str], logs: Path, redo: bool) -> None:
        self.case, self.title, self.command = case, title, command
        self.run = case.run.successor if redo else case.run
        """Run that the work is done in; a successor replaces the case's own at the end."""
        self.log = logs / f"{case.run.name}.log"
        self.logged = 0
        """Bytes of the log that are older than the process."""
        self.process: subprocess.Popen[bytes] | None = None
        self.waits = self.stopped = self.over = False
        self.failure = ""
        """Why it failed, in one line that names its log."""

    def advance(self, environment: dict[str, str]) -> None:
        """Begin as soon as no other process works on the run; take note of the end."""
        if self.process is not None:
            code = self.process.poll()
            if code is not None:
                self._end(code)
        elif not self.case.run.held:
            self._begin(environment)
        elif not self.waits:
            self.waits = True
            beat = last_beat(self.run)
            holder = f"process {beat.pid}" if beat else "another process"
            self._say(f"waits for {holder}, which works on it")

    def stop(self) -> None:
        """Ask the process to keep what it has and to end; without one the job is over.

        It gets SIGTERM whatever the launcher got, since `torchrun` passes that one on.
        """
        self.stopped = True
        if self.process is not None:
            self.process.terminate()
        else:
            self.over = True
            self._say("not begun")

    def kill(self) -> None:
        """Kill the process, if it is still there, with all that it started."""
        if self.process is None or self.process.poll() is not None:
            return
        for helper in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                helper.kill()
        self.process.kill()
        self.process.wait()

    def _begin(self, environment: dict[str, str]) -> None:
        try:
            self._start(environment)
        except OSError as error:  # no log or no process; other runs may have theirs
            self._fail(str(error))
        else:
            self._say("begun")

    def _start(self, environment: dict[str, str]) -> None:
        """Start the process; what it prints goes to the log, below its command line."""
        with self.log.open("ab") as log:
            log.write(f"$ {shlex.join(self.command)}\n".encode())
            log.flush()
            self.logged = log.tell()
            # Ctrl-C in a terminal reaches its whole session: here the launcher alone passes it on.
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    def _end(self, code: int) -> None:
        if code == 0 or self.stopped:
            self.over = True
            self._say(f"stopped; {kept(self.run)}" if code else "finished")
            return
        reason = self._reason(code)
        if IN_WORK in reason:  # another one, which had begun before, was faster
            self.process, self.waits = None, False
        else:
            self._fail(f"{reason}; see {self.log}")

    def _fail(self, reason: str) -> None:
        self.over, self.failure = True, reason
        self._say(f"failed: {reason}")

    def _reason(self, code: int) -> str:
        """Return why the process failed: its signal, its error, or the last line that it wrote."""
        if code < 0:
            return f"killed by signal {-code}"
        if code in (INTERRUPTED, GO_ON_LATER):
            return f"stopped by a signal; {kept(self.run)}"
        try:
            failure = self.run.failure
        except UserError as error:  # a damaged file
            failure = str(error)
        with self.log.open("rb") as log:
            log.seek(self.logged)
            lines = log.read().decode(errors="replace").splitlines()
        words = [line.strip() for line in lines if any(map(str.isalnum, line))]
        errors = [line.removeprefix("error: ") for line in words if line.startswith("error: ")]
        # Of several processes `torchrun` speaks last, and does not say what is wrong.
        return [f"exit code {code}", *words[-1:], *filter(None, [failure]), *errors][-1]

    def _say(self, text: str) -> None:
        """Print what happens to the run, above the lines of the slots."""
        tqdm.write(f"{self.title}: {text}", file=sys.stderr)


def progress(beat: Beat | None) -> str:
    """Return how far a heartbeat says that the work on a run is, in a few words."""
    if beat is None or beat.phase == STOPPED:
        return "at work"  # before it trains and measures, or after
    if beat.phase != "training":
        return beat.phase
    left = "" if beat.seconds_left is None else f", {duration(beat.seconds_left)} left"
    return f"step {beat.step} of {beat.steps}, {beat.images_per_s:.1f} images/s{left}"


def kept(run: Run) -> str:
    """Return what a run has for the process that goes on with it, in a few words."""
    try:
        if run.progress == "finished":
            return "it is finished"
    except UserError as error:  # a damaged file
        return str(error)
    if run.training_done:
        return "its training is kept"
    steps = [int(path.name) for path in run.checkpoints.glob("*") if path.name.isdigit()]
    return f"step {max(steps)} is kept" if steps else "nothing of it is kept yet"
