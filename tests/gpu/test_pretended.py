"""Training and evaluation on a pretended device: one device at a time, and nothing read back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.config import Evaluation, override
from bench.conformance.subject import Subject, images_and_masks
from bench.core.references import resolve
from bench.core.run_folder import RunFolder
from bench.evaluation import validation
from bench.evaluation.evaluator import load
from bench.evaluation.fill import fill
from bench.evaluation.metrics.metric import all_metrics
from bench.networks.holes import composite
from bench.networks.layers import to_device
from bench.registry import Algorithm, TrainedNetwork, discover, find, reference
from bench.runs.experiment import inputs_of
from bench.training import losses
from bench.training.learner import Learner
from bench.training.log import TrainingLog
from bench.training.trainer import Trainer
from tests.bench.evaluation.test_lpips_distance import random_features, save
from tests.conftest import lesson
from tests.gpu.pretended import DEVICE, READ_BACK, Watch, accelerator

METHODS = discover()
TRAINABLE = [name for name, method in METHODS.items() if isinstance(method, TrainedNetwork)]
NETWORKS = [name for name, method in METHODS.items() if not isinstance(method, Algorithm)]
STEPS = 100
NUMBERS = (0, 19, STEPS - 1)
"""Numbers of steps in all phases of all methods: the shortest is from 18 to 20 % of a training."""


def learner_of(name: str) -> Learner:
    method = find(name)
    assert isinstance(method, TrainedNetwork)
    config = override(Subject(method).config, method.objective)
    network = method.build(config.model)
    learner: Learner = resolve(method.learner)(network, config, accelerator(config), STEPS)
    return learner


def batch() -> tuple[Tensor, Tensor]:
    """Two images and masks on the device."""
    image, mask = (x.to(DEVICE) for x in images_and_masks(2))
    return image, mask


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_step_stays_on_the_device(watch: Watch, tmp_path: Path, name: str) -> None:
    """The log adds up the terms of three steps there too."""
    learner, given = learner_of(name), lesson(*batch())
    log = TrainingLog(RunFolder(tmp_path), learner.terms, 1)
    with watch:
        for number in NUMBERS:
            log.add(number, learner.step(*given, number), images=2)
    assert watch.waits == 0
    assert set(log.sums) == set(learner.terms)
    assert {value.device for value in log.sums.values()} == {DEVICE}


def test_a_tensor_of_the_cpu_in_a_step_is_seen(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, error = learner_of(reference().name), losses.pixel_loss
    monkeypatch.setattr(losses, "pixel_loss", lambda *args: error(*args) + torch.zeros(1))
    with watch, pytest.raises(RuntimeError, match="not on the expected device"):
        learner.step(*lesson(*batch()), 0)


def test_a_filter_of_the_cpu_is_seen(watch: Watch) -> None:
    with watch, pytest.raises(AssertionError, match="mixes"):
        torch.nn.functional.conv2d(torch.ones(1, 1, 4, 4, device=DEVICE), torch.ones(1, 1, 3, 3))


def test_a_number_that_a_step_reads_back_is_seen(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, error = learner_of(reference().name), losses.pixel_loss
    monkeypatch.setattr(losses, "pixel_loss", lambda *args: error(*args) * error(*args).item())
    with watch, pytest.raises((RuntimeError, NotImplementedError), match=READ_BACK):
        learner.step(*lesson(*batch()), 0)


def test_a_number_that_is_drawn_on_the_device_is_seen(watch: Watch) -> None:
    with watch, pytest.raises(AssertionError, match="draws on the device"):
        torch.rand(2, device=DEVICE)


def test_copies_that_wait_are_counted(watch: Watch) -> None:
    with watch:
        torch.zeros(2).to(DEVICE, non_blocking=True)
        torch.zeros(2, device=DEVICE).copy_(torch.zeros(2), non_blocking=True)
        assert watch.waits == 0
        torch.zeros(2).to(DEVICE)
        torch.zeros(2, device=DEVICE).copy_(torch.zeros(2))
        assert watch.waits == 2


@pytest.mark.parametrize("name", NETWORKS)
def test_a_filling_stays_on_the_device(watch: Watch, name: str) -> None:
    network = to_device(find(name).build(Subject(find(name)).config.model), DEVICE)
    image, mask = batch()
    with watch:
        output = fill(network, image, mask)
        assert composite(output, image, mask).device == DEVICE
    assert watch.waits == 0


def test_metrics_stay_on_the_device(watch: Watch, tmp_path: Path) -> None:
    file = save(tmp_path / "alex.pth", random_features("alex"))
    settings = Evaluation(lpips="alex", lpips_weights=str(file))
    image, mask = batch()
    wanted = [metric for metric in all_metrics() if metric.wanted(settings)]
    assert {"psnr", "ssim", "l1_percent", "lpips_alex"} <= {metric.name for metric in wanted}
    for metric in wanted:
        function = load(metric, settings, DEVICE).function
        assert function is not None
        with watch:
            for region in metric.regions:
                found = function(image, image, 1 - mask if region == "hole" else None)
                assert (found.shape, found.device) == ((2,), DEVICE)
    assert watch.waits == 0


def test_a_validation_reads_its_mean_back_and_nothing_else(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = Subject(reference())
    network = to_device(subject.method.build(subject.config.model), DEVICE)
    pairs = inputs_of(override(subject.config, {"validation_pairs": 1}), tmp_path).validation
    measured, psnr = [], validation.psnr

    def noted(output: Tensor, target: Tensor) -> Tensor:
        measured.append(psnr(output, target))
        return measured[-1]

    monkeypatch.setattr(validation, "psnr", noted)
    with watch, pytest.raises((RuntimeError, NotImplementedError), match=READ_BACK):
        validation.mean_psnr(network, pairs, DEVICE, 1)
    assert len(measured) == len(pairs) > 1


def test_the_trainer_reads_no_number_of_a_step_back(watch: Watch, tmp_path: Path) -> None:
    method = reference()
    assert isinstance(method, TrainedNetwork)
    config = override(Subject(method).config, {"workers": 0, "log_every": STEPS})
    network, learner = method.build(config.model), resolve(method.learner)
    given = accelerator(config), inputs_of(config, tmp_path), RunFolder(tmp_path)
    steps = Trainer(network, learner, config, *given)._steps(0)
    with watch:
        for number in (1, 2):
            step, terms = next(steps)
            assert step == number and {value.device for value in terms.values()} == {DEVICE}
    steps.close()
