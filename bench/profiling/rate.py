"""The rate at which this machine multiplies matrices: the limit of what networks can reach."""

from __future__ import annotations

from functools import cache

import torch

from bench.core import device
from bench.profiling.timing import median

SIDES = {"cpu": 4096, "cuda": 8192}
"""Sides of the square matrices, so large that the rate no longer grows with them."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
REPEATS = {"cpu": 5, "cuda": 100}
"""Timed products. A GPU's are so short that its clock rises only in the course of them."""


@cache
def matrix_rate(precision: str) -> float:
    """Return the measured rate of matrix products in fp32 or bf16, floating-point operations/s.

    A GPU may use TF32 for fp32 where convolutions may.
    """
    where = device.choose("auto")
    side = SIDES[where.type]
    a, b = (torch.randn(side, side, device=where).to(DTYPES[precision]) for _ in range(2))
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    try:
        # Each of the side² sums has `side` products and additions.
        return 2 * side**3 / median(lambda: a @ b, REPEATS[where.type])
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
