"""The shares of this machine's cores and GPUs that runs get which are made at once."""

from __future__ import annotations

import ctypes
import os


def environments(slots: int, processes: int) -> list[dict[str, str]]:
    """Return the environment of each of `slots` runs of `processes` processes, made at once.

    The cores are shared out by limits of threads, where the user set none, and GPUs by
    CUDA_VISIBLE_DEVICES: each process has one of its own, or they take turns where there are fewer.
    """
    cores = len(os.sched_getaffinity(0))
    usual = {
        "OMP_NUM_THREADS": str(max(1, cores // (slots * processes))),
        # Threads that spin while they wait stall the runs next to them.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TQDM_MININTERVAL": "10",  # seconds between two lines of progress in the logs
    }
    gpus = visible_gpus()
    return [
        {**usual, **os.environ, "PYTHONUNBUFFERED": "1", **_visible(gpus, slot, processes)}
        for slot in range(slots)
    ]


def visible_gpus() -> list[str]:
    """Return what names the GPUs that this process may use in CUDA_VISIBLE_DEVICES."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return []  # No driver is there, and to import torch takes seconds.
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]  # this starts no CUDA


def _visible(gpus: list[str], slot: int, processes: int) -> dict[str, str]:
    """Return the variable that shows the processes of a slot their GPUs, if there are any."""
    first = slot * processes
    own = [gpus[number % len(gpus)] for number in range(first, first + processes) if gpus]
    return {"CUDA_VISIBLE_DEVICES": ",".join(dict.fromkeys(own))} if own else {}
