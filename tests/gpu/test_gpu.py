"""Training, evaluation, resumption, cost and checks on a CUDA device."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from bench.cli.parser import main
from bench.config import Config, override
from bench.conformance.subject import SMALL, Subject, images_and_masks
from bench.core.references import resolve
from bench.evaluation.evaluator import Evaluator
from bench.networks import weights
from bench.networks.initialisation import initialise
from bench.presets import preset
from bench.profiling import cost
from bench.registry import TrainedNetwork, discover, find, reference
from bench.runs.experiment import Experiment, inputs_of
from bench.training.checkpoints import Checkpoints
from bench.training.log import TrainingLog
from bench.training.precision import Precision
from bench.training.processes import make_accelerator
from tests.conftest import lesson

pytestmark = pytest.mark.gpu
TRAINABLE = [name for name, method in discover().items() if isinstance(method, TrainedNetwork)]


def small(name: str, **changes: object) -> Config:
    """The quick preset at a tiny size, as far as its options concern the method."""
    few = {"pairs": 1, "validation_pairs": 1, "lpips": "off", "references": ""}
    config = override(preset("quick"), {**SMALL, **few, **changes})
    return find(name).relevant(config)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", TRAINABLE)
def test_three_steps_lower_the_loss(gpu: torch.device, name: str, precision: Precision) -> None:
    method = find(name)
    assert isinstance(method, TrainedNetwork)
    config = override(small(name), method.objective)
    accelerator = make_accelerator(config, precision)
    network = method.build(config.model)
    learner = resolve(method.learner)(network, config, accelerator, config.training.steps)
    assert next(network.parameters()).device == gpu  # accelerate's own device has no index
    batch = lesson(*images_and_masks(2))
    losses = [learner.step(*batch, number)["total"].item() for number in range(4)]
    assert losses[-1] < losses[0], losses  # each is of the weights before its step


@pytest.mark.parametrize("name", TRAINABLE)
def test_evaluation_agrees_with_the_cpu(gpu: torch.device, tmp_path: Path, name: str) -> None:
    config = small(name)
    pairs = inputs_of(config, tmp_path).test
    values = []
    for where in (gpu, torch.device("cpu")):
        network = find(name).build(config.model)
        initialise(network, 0)
        rows = Evaluator(pairs, config.evaluation, where).records(network, name, {})
        values.append(rows.set_index(["pair", "metric", "region"])["value"])
    apart = (values[0] - values[1]).abs().groupby("metric").max()
    assert apart["psnr"] < 1e-3 and apart["ssim"] < 1e-4 and apart["l1_percent"] < 1e-3, apart


class Killed(BaseException):
    """The end of a process that had no time to clean up."""


@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_killed_training_goes_on_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    """The ends are a hundredth as far apart as the steps after the kill are long, or less.

    Equality to the bit is for the CPU: some CUDA kernels add in the order in which threads come.
    A lost moment of Adam, or other batches, would move the end by about the whole length.
    """
    name = reference().name
    config = small(name, precision=precision, steps=6, checkpoint_every=3)
    whole = Experiment(find(name), config, tmp_path / "whole").execute()
    killed = Experiment(find(name), config, tmp_path / "killed")
    write = Checkpoints.write

    def then_killed(self: Checkpoints, step: int, rows: TrainingLog) -> None:
        write(self, step, rows)
        raise Killed

    monkeypatch.setattr(Checkpoints, "write", then_killed)
    with pytest.raises(Killed):
        killed.execute()
    monkeypatch.undo()
    kept = killed.run.checkpoints / "00000003" / "model.safetensors"
    length = distance(kept, whole.weights)
    assert length > 0 and distance(killed.execute().weights, whole.weights) < length / 100


def distance(one: Path, other: Path) -> float:
    """The Euclidean distance of two files of weights."""
    first, second = weights.read(one), weights.read(other)
    assert first.keys() == second.keys()
    return math.sqrt(sum((first[k].double() - second[k]).square().sum().item() for k in first))


@pytest.mark.parametrize("name", TRAINABLE)
def test_cost_is_measured(gpu: torch.device, name: str) -> None:
    found = cost.measure(name, small(name).model, "auto")
    assert found.device == torch.cuda.get_device_name(gpu)
    for figure in (found.parameters, found.multiply_adds, found.milliseconds, found.peak_mib):
        assert figure is not None and math.isfinite(figure) and figure > 0


def test_checks_are_made_on_the_device(gpu: torch.device) -> None:
    subject = Subject(reference())
    assert next(subject.network.parameters()).device == gpu
    assert next(subject.learner().network.parameters()).device == gpu


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("name", discover())
def test_method_keeps_the_contract(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["check", name]) == 0, capsys.readouterr().out
