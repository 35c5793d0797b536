"""A learner's messages to the trainer: names for the log, and warnings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench.config import override
from bench.conformance.subject import Subject, images_and_masks
from bench.core.errors import UserError
from bench.core.references import resolve
from bench.registry import TrainedNetwork, find
from bench.training.learner import Learner
from bench.training.precision import Precision
from bench.training.processes import make_accelerator
from tests.bench.training.test_common import batch, learner, tiny
from tests.conftest import lesson

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("real", "fake", "changes", "warns"),
    [
        (0.999, 0.998, {}, True),
        (0.001, 0.002, {}, True),
        (0.999, 0.5, {}, False),
        (0.999, 0.998, {"critic_end": "linear"}, False),
        (0.999, 0.998, {"adversarial": 0.0}, False),
    ],
)
def test_a_saturated_critic_is_warned_about(
    real: float, fake: float, changes: dict[str, Any], warns: bool
) -> None:
    text = learner(tiny(**changes)).warning({"step": 1, "real": real, "fake": fake})
    assert bool(text) == warns
    assert not warns or "--critic-end linear" in text


@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_the_draws_of_one(world: int) -> None:
    taught = learner(tiny())
    images = torch.zeros(6, 3, 8, 8)
    one = taught.mix(images, 17)
    assert one.shape == (6, 1, 1, 1) and not torch.equal(one, taught.mix(images, 18))
    shares = []
    for rank in range(world):
        taught.accelerator = SimpleNamespace(process_index=rank, num_processes=world)
        shares.append(taught.mix(images[rank::world], 17))
        assert torch.equal(shares[-1], one[rank::world])
    assert sum(map(len, shares)) == 6


@pytest.mark.parametrize("adversarial", [0.0, 0.1])
def test_the_logs_columns_are_the_terms(adversarial: float) -> None:
    taught = learner(tiny(adversarial=adversarial))
    assert list(taught.step(*lesson(*batch()), 0)) == list(taught.terms)


def taught_by(name: str, compile_step: str, precision: Precision = "fp32") -> Learner:
    """Return the learner of a method, with a budget of six steps."""
    subject = Subject(find(name))
    assert isinstance(subject.method, TrainedNetwork)
    changes = {**subject.method.objective, "compile_step": compile_step, "batch_size": 6}
    config = override(subject.config, changes)
    network = subject.method.build(config.model)
    found: Learner = resolve(subject.method.learner)(
        network, config, make_accelerator(config, precision), 6
    )
    return found


def gradients(taught: Learner) -> dict[str, torch.Tensor]:
    """Return the gradients of all filters and matrices of all networks."""
    return {
        f"{part}.{name}": weight.grad
        for part, network in vars(taught).items()
        if isinstance(network, torch.nn.Module)
        for name, weight in network.named_parameters()
        if weight.grad is not None and weight.dim() > 1
    }


@pytest.mark.parametrize(
    ("name", "functions"),
    [("full", 3), ("no-gan", 2), ("pconv", 1), ("global-local", 3), ("contextual-attention", 3)],
)
def test_each_function_is_compiled_once_where_it_is_asked_for(
    name: str, functions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def compiled(function: Any, **_: Any) -> Any:
        asked.append(function)
        return function

    monkeypatch.setattr(torch, "compile", compiled)
    plain, fast = taught_by(name, "off"), taught_by(name, "on")
    for number in (0, 5, 5):  # of all phases
        terms = [taught.step(*lesson(*images_and_masks(6)), number) for taught in (plain, fast)]
        assert terms[0] == terms[1]
    assert len({function.__name__ for function in asked}) == len(asked) == functions


@pytest.mark.parametrize("name", ["full", "pconv-common", "global-local", "contextual-attention"])
def test_all_convolutions_run_in_the_trainings_precision(name: str) -> None:
    taught, found = taught_by(name, "off", "bf16"), []
    networks = [part for part in vars(taught).values() if isinstance(part, torch.nn.Module)]
    for module in {module for network in networks for module in network.modules()}:
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _, __, output: found.append(output.dtype))
    taught.step(*lesson(*images_and_masks(6)), 5)
    assert len(found) > 10 and set(found) == {torch.bfloat16}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["full", "contextual-attention"])
def test_compiled_steps_have_the_gradients_of_plain_ones(name: str) -> None:
    found = []
    for mode in ("off", "on"):
        taught = taught_by(name, mode)
        terms = taught.step(*lesson(*images_and_masks(6)), 5)
        found.append({**terms, **gradients(taught)})
    assert found[0].keys() == found[1].keys()
    for key, value in found[0].items():
        apart = (value - found[1][key]).norm() / value.norm()
        assert apart < 1e-3, key  # batch norm of float32 alone makes it 5e-5


def test_compiling_is_refused_where_it_cannot_work(monkeypatch: pytest.MonkeyPatch) -> None:
    method = find("full")
    config = override(Subject(method).config, {"compile_step": "on", "batch_size": 4})
    method.check(config)
    with pytest.raises(UserError, match="--compile-step on works in one process alone"):
        method.check(config, 2)
    for name in ("compile", "compile_step"):
        with monkeypatch.context() as patch, pytest.raises(UserError, match=r"no C\+\+ compiler"):
            patch.setenv("PATH", "")
            method.check(override(Subject(method).config, {name: "on"}))
    monkeypatch.setattr("bench.training.learner.COMPILABLE", set())
    with pytest.raises(UserError, match="without effect on full: --compile-step"):
        method.check(config)
