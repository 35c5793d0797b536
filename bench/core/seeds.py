"""Randomness split by purpose: every stream derives from (seed, purpose, coordinates).

No stream depends on a global state or on another stream, so every method sees the same images and
masks in the same order, and a resumed run continues the same sequence.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, purpose: str, *coordinates: int | str) -> int:
    """Return a 63-bit seed for one purpose at one place (an index, a step, a parameter's name)."""
    key = "/".join(str(part) for part in (seed, purpose, *coordinates))
    # torch and NumPy both accept a seed of 63 bits, which a signed 64-bit integer can hold.
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") >> 1


def rng(seed: int, purpose: str, *coordinates: int | str) -> np.random.Generator:
    """Return a NumPy generator for one purpose at one place."""
    return np.random.default_rng(derive(seed, purpose, *coordinates))


def torch_rng(seed: int, purpose: str, *coordinates: int | str) -> torch.Generator:
    """Return a CPU torch generator for one purpose at one place."""
    import torch

    return torch.Generator().manual_seed(derive(seed, purpose, *coordinates))
