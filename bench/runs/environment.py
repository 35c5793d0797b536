"""The environment of a run: versions, commit, machine, processor and device."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.core.device import choose, processor
from bench.core.heartbeat import job

REPORTED_PACKAGES = ("torch", "torchvision", "accelerate", "numpy", "scikit-image", "lpips")


def environment(wanted: str = "auto") -> dict[str, Any]:
    """Return what is written into a run's `environment.json`; `wanted` is its `--device`.

    It is no part of the identity: results are equal to the bit only with the same torch on the same
    kind of processor, and a report that mixes them says so.
    """
    import torch

    where = choose(wanted)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": platform.node(),
        "job": job(),
        "packages": {name: _version(name) for name in REPORTED_PACKAGES},
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted changes": bool(_git("status", "--porcelain")),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "processor": f"{processor()}, {torch.backends.cpu.get_cpu_capability()}",
        "device": torch.cuda.get_device_name(where)
        if where.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _git(*words: str) -> str:
    """Return git's answer about the suite's own clone; empty outside one."""
    folder = Path(__file__).parent
    try:
        result = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return result.stdout.strip()
