"""Measurements of a training step for `tests/gpu/run`, printed as Markdown.

    python -m tests.gpu.measures real|tiny OUT step|profile|tried|training [--data-root FOLDER]

The step is that of the reference method in the paper preset: width 64, 256 px, batch 48. `tiny` is
a size for a CPU.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import torch
from safetensors.torch import save_file

from bench import registry
from bench.config import Config, override
from bench.conformance.subject import SMALL
from bench.core import device
from bench.networks.compiled import compiled
from bench.presets import preset
from bench.profiling import cost, data, samples, speed
from bench.profiling.timing import Row, median
from bench.profiling.training import _learner
from bench.training.precision import Precision
from reports.tables.markdown import table
from tests.conftest import TINY

SIZES: dict[str, dict[str, Any]] = {"real": {"batch_size": 48}, "tiny": SMALL}
STEPS = {"real": 20, "tiny": 2}
SECONDS = {"real": 60, "tiny": 30}
"""Longest time that a training with data gets, its start included."""
GPU = device.choose("auto").type == "cuda"


class Step:
    """A step of training on one batch that lies on the device."""

    def __init__(
        self, config: Config, precision: Precision, compiled: dict[str, Any] | None = None
    ) -> None:
        """Build it; `compiled` has the settings of `torch.compile`, if the step is compiled."""
        self.images = config.training.batch_size
        changes = {"features": "random", "compile_step": "off" if compiled is None else "on"}
        self.learner = _learner(override(config, changes), precision)
        image, mask = samples.inputs(self.images, config.data.size)
        self.batch, self.settings = (image * mask, mask, image), compiled or {}

    def __call__(self) -> None:
        # CUDA graphs keep one set of outputs: a new step may overwrite those of the last.
        torch.compiler.cudagraph_mark_step_begin()
        with mock.patch("bench.training.learner.compiled", partial(compiled, **self.settings)):
            self.learner.step(*self.batch, 0)

    def in_a_row(self, steps: int) -> tuple[float, float]:
        """Return seconds a step without a wait between steps, and those of the host alone."""
        self()
        wait()
        start = time.perf_counter()
        for _ in range(steps):
            self()
        host = time.perf_counter() - start
        wait()
        return (time.perf_counter() - start) / steps, host / steps


def wait() -> None:
    """Wait for all work that is queued on the device."""
    if GPU:
        torch.cuda.synchronize()


def config_of(size: str) -> Config:
    return override(preset("paper"), SIZES[size])


def step(size: str, _: argparse.Namespace) -> None:
    """Print time, images/s, share of the matrix rate and peak memory in each precision."""
    print(speed.machine(), end="\n\n")
    rows = []
    for precision in precisions():
        memory = cost.Memory(device.choose("auto"))
        work = Step(config_of(size), precision)
        waited = median(work, STEPS[size])
        each, host = work.in_a_row(STEPS[size])
        peak = memory.peak() or 0.0
        row = Row("", each, work.images, flops=cost.flops(work), precision=precision)
        rows.append(
            [precision, f"{1000 * waited:.1f}", f"{1000 * each:.1f}", f"{1000 * host:.1f}",
             f"{work.images / each:.1f}", f"{row.flops / 1e9:.0f}", f"{speed.share(row):.0%}",
             f"{peak / 1024:.2f}"]
        )  # fmt: skip
        del work
        torch.cuda.empty_cache()
    names = ["step", "ms, waited for", "ms, in a row", "ms of the host", "images/s", "GFLOP",
             "share of the matrix rate", "peak GiB"]  # fmt: skip
    print(table(names, rows))


def precisions() -> list[Precision]:
    """Return both precisions on a GPU, whatever is faster, and on a CPU those that pay."""
    return ["fp32", "bf16"] if GPU else samples.precisions()


def profile(size: str, _: argparse.Namespace) -> None:
    """Print where the time of the step goes, as it is and compiled."""
    for name, settings in {"as it is": None, "compiled": {}}.items():
        print(f"### {name}\n")
        work = Step(config_of(size), precisions()[-1], settings)
        work.in_a_row(2)
        profile_of(work)


def profile_of(work: Step) -> None:
    """Print the operations that take most of the device's time, and how long it is idle."""
    from torch.profiler import ProfilerActivity, profile

    steps = 3
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if GPU else [])]
    with profile(activities=kinds) as found:
        start = time.perf_counter()
        for _ in range(steps):
            work()
        wait()
        seconds = time.perf_counter() - start
    kind = torch.autograd.DeviceType.CUDA
    spans = [
        (e.time_range.start, e.time_range.end) for e in found.events() if e.device_type == kind
    ]
    busy = covered(spans) / 1e6
    took = (
        f"{steps} steps in {1000 * seconds:.1f} ms, {len(spans) // steps} kernels and copies each"
    )
    print(f"{took}; the device is idle for {1 - busy / seconds:.0%} of them.\n")
    order = f"self_{'device' if GPU else 'cpu'}_time_total"
    shown = found.key_averages().table(sort_by=order, row_limit=30, max_name_column_width=70)
    print(f"```\n{shown}\n```")


def covered(spans: list[tuple[float, float]]) -> float:
    """Return the length of the union of spans (start, end)."""
    total, last = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, last))
        last = max(last, end)
    return total


def tried(size: str, _: argparse.Namespace) -> None:
    """Print what cuDNN's search and compiled steps make of the step; one that fails says why."""
    ways: dict[str, dict[str, Any] | None] = {
        "as it is": None,
        "cudnn.benchmark": None,
        "compiled": {},
        "compiled, reduce-overhead": {"mode": "reduce-overhead"},
        "compiled, max-autotune": {"mode": "max-autotune-no-cudagraphs"},
    }
    print("| step | ms, in a row | ms of the host | images/s | peak GiB | first step, s |")
    print("|---|---|---|---|---|---|")
    for name, settings in ways.items():
        torch.backends.cudnn.benchmark = name == "cudnn.benchmark"
        memory = cost.Memory(device.choose("auto"))
        try:
            work = Step(config_of(size), precisions()[-1], settings)
            start = time.perf_counter()
            work()
            wait()
            first = time.perf_counter() - start
            each, host = work.in_a_row(STEPS[size])
            peak = (memory.peak() or 0.0) / 1024
            cells = [f"{1000 * each:.1f}", f"{1000 * host:.1f}", f"{work.images / each:.1f}",
                     f"{peak:.2f}", f"{first:.1f}"]  # fmt: skip
        except Exception as error:  # of torch's compiler, which has many
            text = " ".join(str(error).split())
            cells = [f"{type(error).__name__}: {text[:200]}".replace("|", "/"), "", "", "", ""]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
        torch.compiler.reset()
        torch.cuda.empty_cache()


def training(size: str, args: argparse.Namespace) -> None:
    """Print the images/s of `run --preset small`, next to those of its step alone."""
    config = preset("small") if size == "real" else override(preset("small"), SMALL)
    precision = precisions()[-1]
    work = Step(config, precision)
    alone = work.images / work.in_a_row(5 * STEPS[size])[0]
    del work
    options = ["--data-root", args.data_root] if args.data_root else ["--images", "sample"]
    options += ["--precision", precision, "--validate-every", "100000", "--log-every", "10"]
    options += ["--vgg16-weights", str(made_weights(Path(args.out))), "--lpips", "off"]
    options += [*TINY, "--log-every", "1"] if size == "tiny" else []
    seen = rates(options, Path(args.out) / "runs", SECONDS[size])
    last = statistics.median(seen[len(seen) // 2 :])
    print(f"`run --preset small` in {precision}: {last:.1f} images/s (median of the last half of "
          f"{len(seen)} rows); its step alone {alone:.1f}: {last / alone:.0%}.\n")  # fmt: skip
    for workers in (config.training.workers, 8) if size == "real" else (1,):
        row = data.delivery(samples.sample_batches(config), workers, 1)
        print(f"- {row.what}: {row.images / row.seconds:.0f} images/s")


def made_weights(folder: Path) -> Path:
    """Return a file of random weights for the perceptual network: no download is needed."""
    path = folder / "vgg16.safetensors"
    layers = samples.vgg16_features().layers.state_dict()
    save_file({f"features.{name}": value for name, value in layers.items()}, path)
    return path


def rates(options: list[str], out: Path, seconds: float) -> list[float]:
    """Return the images/s in the log of a training that is stopped after some seconds."""
    words = ["run", "--variant", registry.reference().name, "--preset", "small"]
    command = [sys.executable, "-m", "bench", *words, "--out", str(out), *options]
    with subprocess.Popen(command, stdout=sys.stderr) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.terminate()  # it writes a checkpoint and ends
    (log,) = out.glob("*/log.csv")
    return pd.read_csv(log)["images_per_s"].tolist()


PARTS = {"step": step, "profile": profile, "tried": tried, "training": training}


def main() -> None:
    """Measure one part and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("out")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--data-root")
    args = parser.parse_args()
    Path(args.out).mkdir(parents=True, exist_ok=True)
    device.tune_cpu()
    PARTS[args.part](args.size, args)


if __name__ == "__main__":
    main()
