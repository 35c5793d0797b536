"""The cost of a method, against counts by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from baselines.global_local.table import generator
from bench.config import Model, to_dict
from bench.presets import preset
from bench.profiling import cost
from bench.registry import find
from bench.runs.run import Run


def test_a_networks_cost_is_counted_and_measured() -> None:
    model = Model(4, 3)
    found = cost.measure("global-local", model, "cpu")
    assert found.parameters == find("global-local").parameters(model)
    side, multiply_adds = 256, 0
    for row in generator(model):
        if row.up:  # a transposed convolution works once per input place
            multiply_adds += row.kernel**2 * row.inputs * row.outputs * side**2
            side *= 2
        else:
            side //= row.stride
            multiply_adds += row.kernel**2 * row.inputs * row.outputs * side**2
    assert side == 256 and found.multiply_adds == multiply_adds
    assert found.milliseconds > 0 and found.device.startswith("CPU")
    # Two feature maps of the first layer must be alive at once.
    assert found.peak_mib is None or found.peak_mib > 2 * 4 * 4 * 256**2 / 2**20


def test_operations_of_a_training_step_are_those_counted_by_hand() -> None:
    down, up = nn.Conv2d(3, 8, 4, 2, 1), nn.ConvTranspose2d(8, 3, 4, 2, 1)
    image = torch.rand(2, 3, 32, 32)

    def step() -> None:
        up(down(image)).square().mean().backward()

    # Each kernel weight works once per input and output channel at each of the 16x16 inner places.
    once = 2 * (2 * 16 * 16) * (3 * 8 * 4 * 4)
    # Forward both; backward each for its weights, and the second for its input as well.
    assert cost.flops(step) == once * (2 + 3)
    with torch.inference_mode():
        assert cost.flops(lambda: up(down(image))) == once * 2


def test_operations_of_a_gradient_penalty_are_those_counted_by_hand() -> None:
    layer = nn.Linear(5, 7)
    x = torch.rand(4, 5, requires_grad=True)

    def penalty() -> None:
        (slope,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        slope.square().sum().backward()

    once = 2 * 4 * 5 * 7
    # The layer, and its gradient by x. Backward of that gradient: by the slope of the output, which
    # leads to the layer's weights and to x, and by the weights.
    assert cost.flops(penalty) == once * (2 + 4)


def test_an_algorithm_has_no_parameters() -> None:
    found = cost.measure("mean-colour", Model(), "cpu")
    assert (found.parameters, found.multiply_adds) == (0, 0)


@pytest.mark.skipif(not cost.Memory.STATUS.exists(), reason="the system has no /proc")
def test_peak_is_what_was_in_use_at_once() -> None:
    # A process of its own: this one may have kept freed blocks that it would fill again.
    code = (
        "import torch; from bench.profiling import cost\n"
        "memory = cost.Memory(torch.device('cpu'))\n"
        "for _ in range(3): torch.ones(16 * 2**20).sum()\n"  # one after the other: 64 MiB, not 192
        "print(memory.peak())"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert 60 < float(found.stdout) < 120


def test_a_run_is_measured_once_on_each_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    example = cost.Cost("telea", 0, 0, 1.5, None, "CPU, 2 threads")

    def measure(name: str, model: Model, device: str) -> cost.Cost:
        asked.append(name)
        return example

    run = Run(tmp_path / "r")
    run.begin({"method": "telea"}, to_dict(preset("quick")), {})
    with run.working():
        pass
    monkeypatch.setattr(cost, "measure", measure)
    for device, times in (("CPU, 2 threads", 1), ("CPU, 2 threads", 1), ("another", 2)):
        monkeypatch.setattr(cost, "environment", lambda _, device=device: {"device": device})
        cost.of_run(run)
        assert len(asked) == times
    assert json.loads(run.cost.read_text())["milliseconds"] == 1.5
    assert run.damaged() == {}  # it has a sum of its own
