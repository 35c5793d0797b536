"""A Slurm cluster of one node, in a folder of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ADDRESS = "10.99.0.1"
"""Address of the node: Slurm takes none of the loopback's own."""
CONFIGURATION = """
ClusterName=one
SlurmctldHost={host}({address})
AuthType=auth/none
CredType=cred/none
MpiDefault=none
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=5
ReturnToService=2
MinJobAge=7200
SlurmctldParameters=preempt_send_user_signal
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr={address} CPUs={cpus} State=UNKNOWN
PartitionName=usual Nodes=ALL Default=YES PriorityTier=1 GraceTime=60 DefaultTime=30
PartitionName=urgent Nodes=ALL PriorityTier=2 PreemptMode=OFF
"""


@contextmanager
def cluster(folder: Path, cpus: int) -> Iterator[None]:
    """Start controller and node, and end them with all jobs; `cpus` jobs run at once.

    It must have a network namespace of its own, which the script `run` makes.
    """
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    file = folder / "slurm.conf"
    file.write_text(
        CONFIGURATION.format(host=platform.node(), address=ADDRESS, folder=folder, cpus=cpus)
    )
    os.environ["SLURM_CONF"] = str(file)
    subprocess.run(["ip", "address", "add", ADDRESS, "dev", "lo"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    daemons = [
        subprocess.Popen([name, "-D"], stderr=subprocess.DEVNULL)  # it is in their logs
        for name in ("slurmctld", "slurmd")
    ]
    try:
        until(
            lambda: "idle" in slurm("sinfo --noheader --format=%T", check=False),
            "the node is there",
        )
        yield
    finally:
        slurm("scancel --user=root --signal=KILL --full", check=False)
        slurm("scancel --user=root", check=False)
        until(lambda: not queue(), "the queue is empty")
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()


def slurm(command: str, check: bool = True) -> str:
    """Return what one of Slurm's commands prints; unless told otherwise it must not fail."""
    return subprocess.run(command.split(), stdout=subprocess.PIPE, text=True, check=check).stdout


def queue() -> dict[str, str]:
    """Return the states of all jobs in the queue, by number, with the reasons of waiting ones."""
    lines = slurm("squeue --noheader --array --format=%i|%T|%r").splitlines()
    fields = [line.split("|") for line in lines]
    return {number: f"{state} {reason}" for number, state, reason in fields}


def until(condition: Callable[[], object], what: str, seconds: float = 600) -> None:
    """Wait for a condition; `what` says it in words."""
    print(f"{time.strftime('%H:%M:%S')} waiting until {what}", flush=True)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"never {what}: {queue()}"
        time.sleep(0.5)
