"""What the hardware can do, and settings that make a CPU fast."""

from __future__ import annotations

import ctypes
import logging
from typing import Literal

import torch

log = logging.getLogger(__name__)
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
PRECISIONS = {"no": "fp32", "bf16": "bf16"}
"""accelerate's names of the autocast modes, to those of `--precision`."""


def has_bf16_units(device: torch.device) -> bool:
    """Whether bf16 is faster than fp32 there: CUDA from Ampere on, CPUs with AMX tiles.

    A CPU without AMX emulates bf16 and is several times slower than in fp32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_amx_tile_supported())


def mixed_precision(wanted: str, device: torch.device) -> Literal["no", "bf16"]:
    """The autocast mode for `auto`, `fp32` or `bf16` on a device; warns where bf16 is slow."""
    units = has_bf16_units(device)
    if wanted == "bf16" and not units:
        log.warning("--precision bf16: this %s has no bf16 units and may be slow", device.type)
    return "bf16" if wanted == "bf16" or (wanted == "auto" and units) else "no"


def choose(wanted: str) -> torch.device:
    """The device for `auto` (a GPU where there is one) or `cpu`."""
    if wanted == "auto" and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def tune_cpu() -> None:
    """Settings of the process that speed up CPU work; call before the first tensor is made.

    Denormals are flushed: activations of a young GAN underflow, and arithmetic on denormals halves
    the speed. glibc keeps freed blocks: it would otherwise return every large tensor to the kernel
    and fault its pages in again at the next step.
    """
    torch.set_flush_denormal(True)
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return  # not glibc
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
