"""The abilities of the hardware, and process settings that make a CPU fast."""

from __future__ import annotations

import ctypes
import logging
from typing import Literal

import torch

log = logging.getLogger(__name__)
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Numbers by which glibc's `mallopt` names its settings (malloc.h)."""
PRECISIONS = {"no": "fp32", "bf16": "bf16"}
"""Names of the precisions in `--precision`, by the names of accelerate's autocast modes."""


def has_bf16_units(device: torch.device) -> bool:
    """Return whether bf16 is faster than fp32: CUDA from Ampere on, and CPUs with AMX tiles.

    A CPU without AMX emulates bf16 and is several times slower than in fp32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_amx_tile_supported())


def mixed_precision(wanted: str, device: torch.device) -> Literal["no", "bf16"]:
    """Return the autocast mode for `auto`, `fp32` or `bf16` on a device.

    `auto` is bf16 where the device has units for it. Asking for bf16 elsewhere logs a warning.
    """
    units = has_bf16_units(device)
    if wanted == "bf16" and not units:
        log.warning("--precision bf16: this %s has no bf16 units and may be slow", device.type)
    return "bf16" if wanted == "bf16" or (wanted == "auto" and units) else "no"


def choose(wanted: str) -> torch.device:
    """Return the device for `auto` (a GPU where there is one) or `cpu`."""
    if wanted == "auto" and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


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
