"""The cost of a method: parameters, multiply-adds, time and memory for one image of 256x256.

It is measured in a separate process, so that nothing else lies in its memory. Networks have the
weights they were built with, since no figure depends on them.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from bench import registry
from bench.config import Model
from bench.core import device, plugins
from bench.core.files import read_json, write_json
from bench.data.images.decode import read_rgb, resize_shorter
from bench.data.images.source import pictures
from bench.foreign.method import find, given_as
from bench.networks.layers import to_device
from bench.profiling.timing import median
from bench.runs.environment import environment
from bench.runs.experiment import load_run
from bench.runs.run import Run

SIZE, HOLE = 256, 128
"""Sides of the image and of the box that is its hole, pixels."""
REPEATS = 5
"""Number of timed fillings, of which the median counts."""
MIB = 2**20


@dataclass(frozen=True)
class Cost:
    """The cost of filling one image, batch 1, float32."""

    method: str
    parameters: int
    multiply_adds: int
    """Multiply-adds of convolutions and matrix products; 0 for an algorithm without a network."""
    milliseconds: float
    """Median time of REPEATS fillings, after a warm-up."""
    peak_mib: float | None
    """Growth of memory in MiB from before the method was built to its peak.

    It is that of the GPU's allocator, or of the process; None where the system does not tell."""
    device: str
    size: int = SIZE


def of_run(run: Run) -> None:
    """Measure the cost of a run's method, unless its folder has it for this device already."""
    method, config = load_run(run)
    wanted = config.training.device
    if run.cost.exists() and read_json(run.cost)["device"] == environment(wanted)["device"]:
        return
    write_json(run.cost, asdict(measure(given_as(method), config.model, wanted)))
    run.seal(run.cost)


def measure(name: str, model: Model, wanted: str) -> Cost:
    """Measure the cost of the method of a name on a device (`auto` or `cpu`)."""
    # A forked process would begin with the memory of this one, and could not use CUDA.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (name, model, wanted, plugins.loaded()))


def flops(work: Callable[[], object]) -> int:
    """Count the floating-point operations of convolutions and matrix products in some work.

    Passes backward count too. A multiply-add is two operations.
    """
    counter = _Counter()
    with counter:
        work()
    return counter.total


class _Counter(TorchDispatchMode):
    """Adds up the operations of all calls, by torch's own formulas.

    torch's `FlopCounterMode` also counts by module, and its hooks fail in a gradient penalty.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        named = kwargs or {}
        formula = flop_registry.get(func.overloadpacket)
        if formula is None:
            with self:  # without gradients a convolution comes whole, and is counted by its parts
                result = func.decompose(*args, **named)
            return func(*args, **named) if result is NotImplemented else result
        result = func(*args, **named)
        self.total += int(formula(*args, **named, out_val=result))
        return result


def _measure(name: str, model: Model, wanted: str, files: Sequence[Path]) -> Cost:
    for file in files:
        plugins.load(file, registry.REGISTRY)
    device.tune_cpu()
    where = device.choose(wanted)
    image, mask = (x.to(where) for x in _inputs())
    method = find(name)
    memory = Memory(where)
    network = to_device(method.build(model), where).eval()
    with torch.inference_mode():
        seconds = median(lambda: network(image, mask), REPEATS)
    # The count comes last: it slows the pass down and takes memory of its own.
    peak = memory.peak()
    with torch.no_grad():
        operations = flops(lambda: network(image, mask))
    return Cost(
        method.name,
        sum(p.numel() for p in network.parameters()),
        operations // 2,
        1000 * seconds,
        peak,
        environment(wanted)["device"],
    )


def _inputs() -> tuple[Tensor, Tensor]:
    """Return a photograph [1,3,256,256] in [0,1] with a black hole, and its mask [1,1,256,256].

    The hole is a box in the middle, a quarter of the image.
    """
    photo = resize_shorter(read_rgb(pictures("sample", "test", Path())[0].path), SIZE)
    image = torch.from_numpy(photo[:SIZE, :SIZE].copy()).permute(2, 0, 1)[None].float() / 255
    mask = torch.ones(1, 1, SIZE, SIZE)
    start = (SIZE - HOLE) // 2
    mask[..., start : start + HOLE, start : start + HOLE] = 0
    return image * mask, mask


class Memory:
    """The peak of the memory in use after its construction, less what was in use then."""

    STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")

    def __init__(self, where: torch.device) -> None:
        self.cuda = where.type == "cuda"
        self.before = 0.0
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated() / MIB
        elif self.STATUS.exists():
            # Linux resets the peak VmHWM of a process when 5 is written here (man 5 proc).
            self.CLEAR.write_text("5")
            self.before = self._of_process("VmRSS")

    def peak(self) -> float | None:
        """Return the peak in MiB, or None where the system does not tell."""
        if self.cuda:
            return torch.cuda.max_memory_allocated() / MIB - self.before
        return self._of_process("VmHWM") - self.before if self.STATUS.exists() else None

    def _of_process(self, field: str) -> float:
        """Return a field of the process's status, which is in KiB, in MiB."""
        rows = (line.split() for line in self.STATUS.read_text().splitlines())
        return next(float(row[1]) for row in rows if row[0] == f"{field}:") / 1024
