"""The precision of a training, where `--precision auto` leaves it to the machine."""

from __future__ import annotations

import logging
import time
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from bench.core import device
from bench.core.digests import read_summed, write_summed
from bench.core.errors import UserError

log = logging.getLogger(__name__)
Precision = Literal["fp32", "bf16"]
LAYERS: tuple[tuple[type[nn.Module], int, int, int], ...] = (
    (nn.Conv2d, 64, 128, 32),
    (nn.Conv2d, 256, 256, 16),
    (nn.ConvTranspose2d, 256, 64, 16),
)
"""Layers of the trial: kind, channels in and out, and side of the inputs. They are typical of the
suite's networks, but small, so that the trial takes half a second at most."""
IMAGES, REPEATS = 2, 3
GAIN = 1.1
"""Factor by which bf16 must be faster: for less it is not worth its rounding."""


def choose(wanted: str, where: torch.device, folder: Path) -> Precision:
    """Return the precision for `auto`, `fp32` or `bf16` on a device.

    With `auto`, a GPU trains in bf16 if it has units for it. A CPU times both, since bf16 is slow
    on some that have units (https://github.com/pytorch/pytorch/issues/183815); `folder` keeps the
    times, so that all runs on one kind of machine get the same answer. Asking for bf16 where there
    are no units logs a warning.
    """
    if wanted == "fp32":
        return "fp32"
    if wanted == "bf16":
        if not device.has_bf16_units(where):
            log.warning("--precision bf16: this %s has no bf16 units and may be slow", where.type)
        return "bf16"
    if where.type != "cpu":
        return "bf16" if device.has_bf16_units(where) else "fp32"
    seconds = _remembered(folder / "precision.json")
    chosen: Precision = "bf16" if seconds["fp32"] > GAIN * seconds["bf16"] else "fp32"
    log.info(
        "--precision auto: %s; a trial took %.1f ms in fp32 and %.1f ms in bf16",
        chosen, 1000 * seconds["fp32"], 1000 * seconds["bf16"],
    )  # fmt: skip
    return chosen


def _remembered(file: Path) -> dict[str, float]:
    """Return the times of a trial on this kind of machine, from a file or by a new trial."""
    machine = ", ".join(
        [device.processor(), torch.backends.cpu.get_cpu_capability(),
         f"{torch.get_num_threads()} threads", f"torch {torch.__version__}"]
    )  # fmt: skip
    try:
        known = read_summed(file)
    except UserError:  # missing or damaged
        known = {}
    if machine not in known:
        known |= {machine: trial()}
        write_summed(file, known)
    found: dict[str, float] = known[machine]
    return found


@cache
def trial() -> dict[str, float]:
    """Return the seconds of a training step of the layers on the CPU, in fp32 and in bf16.

    It is the shortest of some: other work on the machine can only make it longer.
    """
    seconds: dict[str, list[float]] = {"fp32": [], "bf16": []}
    steps = [_Step(*layer) for layer in LAYERS]
    for _ in range(1 + REPEATS):  # The first of each prepares kernels.
        for precision, taken in seconds.items():  # In turn, so that both meet the same other work.
            start = time.perf_counter()
            for step in steps:
                step(precision)
            taken.append(time.perf_counter() - start)
    return {precision: min(taken[1:]) for precision, taken in seconds.items()}


class _Step:
    """A pass through one layer and back, under autocast as in a training."""

    def __init__(self, kind: type[nn.Module], inputs: int, outputs: int, side: int) -> None:
        layout = torch.channels_last
        self.layer = kind(inputs, outputs, 4, 2, 1).to(memory_format=layout)
        self.x = torch.ones(IMAGES, inputs, side, side).to(memory_format=layout).requires_grad_()

    def __call__(self, precision: str) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = self.layer(self.x).sum()
        loss.backward()
