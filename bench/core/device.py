"""The abilities of the hardware, and process settings that make a CPU fast."""

from __future__ import annotations

import ctypes
import platform
from contextlib import AbstractContextManager
from pathlib import Path

import torch

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Numbers by which glibc's `mallopt` names its settings (malloc.h)."""


def has_bf16_units(device: torch.device) -> bool:
    """Return whether bf16 is surely fast: on CUDA from Ampere on, and on CPUs with AMX tiles."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_amx_tile_supported())


def processor() -> str:
    """Return the processor's model name; `platform.processor` is empty on most Linux systems."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def choose(wanted: str) -> torch.device:
    """Return the device for `auto` (a GPU where there is one) or `cpu`."""
    if wanted == "auto" and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def full_float32() -> AbstractContextManager[None]:
    """Return a context in which convolutions of float32 are just that, and repeat to the bit.

    On a GPU, cuDNN would take TF32, with 10 bits after the binary point, and add in the order in
    which its threads come.
    """
    flags: AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=True, deterministic=True, allow_tf32=False
    )
    return flags


def tune_cpu() -> None:
    """Set up the process for fast CPU work; call this before the first tensor is made.

    Denormal numbers are flushed to zero: activations of a GAN early in its training underflow, and
    arithmetic on denormals halves the speed. glibc keeps freed blocks: it would otherwise return
    every large tensor to the kernel and fault its pages in again at the next step.
    """
    torch.set_flush_denormal(True)
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return  # The C library is not glibc, so `mallopt` is not there.
    # No block gets a mapping of its own; free memory up to 2 GiB, the largest C int, is kept.
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
