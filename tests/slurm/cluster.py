"""A Slurm cluster of one node, in a folder and a network of its own."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ADDRESS = "10.99.0.1"
"""Address of the node: Slurm does not take the loopback's own."""
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
ReturnToService=2
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

    It must have a network namespace of its own, as the script `run` makes one.
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
    daemons = [subprocess.Popen([name, "-D"]) for name in ("slurmctld", "slurmd")]
    try:
        wait_for(lambda: "idle" in slurm("sinfo", "--noheader", "--format=%T"), "the node", 60)
        yield
    finally:
        slurm("scancel", "--full", "--user=root")
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()
