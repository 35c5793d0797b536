"""One update of generator and critic: what it changes, what it reports, that it repeats."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from bench.config import Config, override
from bench.networks.holes import composite
from bench.presets import preset
from bench.registry import find
from bench.training import losses
from bench.training.common import CommonLearner
from tests.conftest import lesson

pytestmark = pytest.mark.usefixtures("one_thread")
GENERATOR_TERMS = {"pixel", "perceptual", "style", "total"}
CRITIC_TERMS = {"critic", "penalty", "real", "fake"}
STILL = 1e-30
"""A learning rate that is legal and moves no weight in single precision."""


def tiny(**changes: Any) -> Config:
    size = {"width": 4, "depth": 4, "critic_width": 4, "size": 64, "resize": 64, "batch_size": 2}
    return override(preset("quick"), size | changes)


def learner(config: Config, method: str = "full", precision: str = "no") -> CommonLearner:
    # Accelerate holds a process to the precision of its first accelerator.
    AcceleratorState._reset_state(True)
    accelerator = Accelerator(cpu=True, mixed_precision=precision)
    return CommonLearner(find(method).build(config.model), config, accelerator, 1)


def batch(size: int = 64, count: int = 2) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 4, 4, generator=stream)
    image = nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    mask = torch.ones(count, 1, size, size)
    mask[..., 16:48, 10:40] = 0
    return image, mask


def weights(network: nn.Module | None) -> dict[str, Tensor]:
    assert network is not None
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


# What an update changes


def test_a_step_changes_every_weight_of_both_networks() -> None:
    taught = learner(tiny())
    for network in (taught.generator, taught.critic):
        before = weights(network)
        taught.step(*lesson(*batch()), 0)
        after = weights(network)
        assert before.keys() == after.keys()
        still = {name for name in before if torch.equal(before[name], after[name])}
        # A bias before batch norm has no effect; young filters convolve no mask to beyond mu.
        assert not [name for name in still if not name.endswith(("bias", "gamma_right"))]


def test_generator_takes_no_gradient_from_the_critics_update() -> None:
    taught = learner(tiny())
    assert taught.critic is not None
    seen: list[bool] = []
    descend = taught.critic_optimizer.step

    def step(*args: Any, **kwargs: Any) -> Any:
        seen.append(all(p.grad is None for p in taught.generator.parameters()))
        return descend(*args, **kwargs)

    taught.critic_optimizer.step = step  # type: ignore[method-assign]
    taught.step(*lesson(*batch()), 0)
    assert seen == [True]


def gradients(network: nn.Module) -> dict[str, Tensor]:
    named = network.named_parameters()
    return {name: p.grad.clone() for name, p in named if p.grad is not None}


def test_generators_update_leaves_the_critic_as_its_own_update_made_it() -> None:
    taught = learner(tiny())
    critic = taught.critic
    assert critic is not None
    after_own: list[tuple[dict[str, Tensor], dict[str, Tensor]]] = []
    descend = taught.critic_optimizer.step

    def step(*args: Any, **kwargs: Any) -> Any:
        result = descend(*args, **kwargs)
        after_own.append((weights(critic), gradients(critic)))
        return result

    taught.critic_optimizer.step = step  # type: ignore[method-assign]
    for number in range(3):
        taught.step(*lesson(*batch()), number)
        own_weights, own_gradients = after_own[number]
        assert same(own_weights, weights(critic))
        # Nor is the critic's share of the generator's gradient computed, which would be wasted.
        left = gradients(critic)
        assert not left or same(own_gradients, left)


def test_optimizers_have_the_configured_rates_and_betas() -> None:
    rates = {"lr": 3e-4, "betas": (0.4, 0.8), "critic_lr": 2e-5, "critic_betas": (0.1, 0.7)}
    taught = learner(tiny(**rates))
    for prefix, optimizer, network in (
        ("", taught.optimizer, taught.generator),
        ("critic_", taught.critic_optimizer, taught.critic),
    ):
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"]) == (rates[f"{prefix}lr"], rates[f"{prefix}betas"])
        assert len(group["params"]) == len(weights(network))


def test_critic_learns_nothing_from_the_generators_objective() -> None:
    # The generator stands still, so whatever differed could only have leaked from its objective.
    ends = []
    for pixel, style, adversarial in [(1.0, 0.0, 0.1), (50.0, 500.0, 20.0)]:
        taught = learner(tiny(lr=STILL, pixel=pixel, style=style, adversarial=adversarial))
        before = weights(taught.critic)
        for number in range(3):
            taught.step(*lesson(*batch()), number)
        ends.append(weights(taught.critic))
        assert not same(before, ends[-1])
    assert same(*ends)


def test_generator_learns_nothing_from_the_critics_objective() -> None:
    ends = []
    for penalty in (0.0, 100.0):
        taught = learner(tiny(critic_lr=STILL, gradient_penalty=penalty))
        for number in range(3):
            taught.step(*lesson(*batch()), number)
        ends.append(weights(taught.generator))
    assert same(*ends)


def test_penalty_counts_by_its_weight() -> None:
    found = []
    for weight in (0.0, 1.0, 7.0):
        taught = learner(tiny(gradient_penalty=weight))
        taught.step(*lesson(*batch()), 0)
        assert taught.critic is not None
        filters = {n: g for n, g in gradients(taught.critic).items() if g.dim() > 1}
        found.append(torch.cat([g.flatten() for g in filters.values()]))
    none, one, seven = found
    share = one - none
    assert share.norm() > 0.1 * none.norm()
    assert (seven - none - 7 * share).norm() < 0.01 * (7 * share).norm()


def test_critic_learns_to_tell_real_from_fake() -> None:
    taught = learner(tiny(lr=STILL, critic_lr=1e-3, critic_end="linear", gradient_penalty=0.0))
    terms = [taught.step(*lesson(*batch()), number) for number in range(15)]
    assert terms[-1]["critic"] < terms[0]["critic"] - 0.1
    assert terms[-1]["real"] > terms[-1]["fake"]


def test_generator_learns_to_please_the_critic() -> None:
    # With the critic standing still and nothing else to mind, its score of the output must rise.
    only = {"pixel": 0.0, "perceptual": 0.0, "style": 0.0, "adversarial": 1.0}
    taught = learner(tiny(lr=1e-4, critic_lr=STILL, critic_end="linear", **only))
    terms = [taught.step(*lesson(*batch()), number) for number in range(10)]
    assert terms[-1]["adversarial"] < terms[0]["adversarial"] - 0.005
    assert terms[-1]["fake"] > terms[0]["fake"] + 0.005


def test_frozen_features_do_not_change() -> None:
    taught = learner(tiny())
    before = copy.deepcopy(taught.features.state_dict())
    taught.step(*lesson(*batch()), 0)
    assert same(before, taught.features.state_dict())


def test_features_of_the_truth_carry_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: dict[str, list[tuple[bool, bool]]] = {"perceptual_loss": [], "style_loss": []}

    def watched(name: str) -> Any:
        original = getattr(losses, name)

        def loss(features: list[Tensor], targets: list[Tensor], *rest: Any) -> Tensor:
            graphs[name] += [
                (f.requires_grad, t.requires_grad) for f, t in zip(features, targets, strict=True)
            ]
            result: Tensor = original(features, targets, *rest)
            return result

        return loss

    for name in graphs:
        monkeypatch.setattr(losses, name, watched(name))
    learner(tiny()).step(*lesson(*batch()), 0)
    assert graphs == {name: [(True, False)] * 3 for name in graphs}


# What an update reports


@pytest.mark.parametrize("features_of", ["raw", "raw+composite"])
@pytest.mark.parametrize("adversarial", [0.1, 0.0])
def test_every_term_is_reported(adversarial: float, features_of: str) -> None:
    taught = learner(tiny(adversarial=adversarial, features_of=features_of))
    terms = taught.step(*lesson(*batch()), 0)
    critic = CRITIC_TERMS | {"adversarial"} if adversarial else set()
    assert set(terms) == GENERATOR_TERMS | critic
    assert (taught.critic is not None) == bool(adversarial)
    for name, value in terms.items():
        assert value.shape == (), name
        assert value.isfinite(), name
        assert not value.requires_grad, name


@pytest.mark.parametrize("adversarial", [0.7, 0.0])
def test_total_is_the_weighted_sum_of_the_terms(adversarial: float) -> None:
    objective = {"pixel": 3.0, "perceptual": 0.2, "style": 40.0, "adversarial": adversarial}
    terms = learner(tiny(**objective)).step(*lesson(*batch()), 0)
    expected = sum(
        weight * terms[name].item() for name, weight in objective.items() if name in terms
    )
    assert terms["total"].item() == pytest.approx(expected, rel=1e-5)
    assert len({round(v.item(), 6) for v in terms.values()}) > 3, "equal terms would show nothing"


@pytest.mark.parametrize("distance", ["l2", "l1"])
@pytest.mark.parametrize("features_of", ["raw", "raw+composite"])
def test_terms_are_those_of_the_networks_before_their_updates(
    features_of: str, distance: str
) -> None:
    taught = learner(
        tiny(features_of=features_of, perceptual_distance=distance, hole=6.0, critic_lr=1e-3)
    )
    image, mask = batch()
    generator, critic = copy.deepcopy(taught.generator), copy.deepcopy(taught.critic)
    assert critic is not None
    terms = taught.step(*lesson(image, mask), 0)
    with torch.no_grad():
        output = generator(image, mask)
        real, fake = critic(image, mask).mean(), critic(output, mask).mean()
        # The generator answers to the critic as already updated.
        assert taught.critic is not None
        answer = -taught.critic(output, mask).mean()
        targets = taught.features(image)
        looked_at = [taught.features(output)]
        if features_of == "raw+composite":
            looked_at.append(taught.features(composite(output, image, mask)))
        weight = torch.where(mask > 0.5, 1.0, 6.0)
        expected = {
            "pixel": ((output - image).abs() * weight).mean(),
            "perceptual": sum(losses.perceptual_loss(f, targets, distance) for f in looked_at),
            "style": sum(losses.style_loss(f, targets) for f in looked_at),
            "real": real,
            "fake": fake,
            "critic": fake - real,
            "adversarial": answer,
        }
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(float(value), rel=1e-4, abs=1e-6), name


def test_penalty_lies_between_real_and_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    mixes: list[Tensor] = []
    original = losses.between

    def watched(real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
        mixes.append(mix.detach().clone())
        assert not fake.requires_grad
        return original(real, fake, mix)

    monkeypatch.setattr(losses, "between", watched)
    taught = learner(tiny())
    for number in (0, 1, 0):
        taught.step(*lesson(*batch()), number)
    assert mixes[0].shape == (2, 1, 1, 1)
    assert 0 < mixes[0].min() <= mixes[0].max() < 1
    assert mixes[0][0] != mixes[0][1]
    assert not torch.equal(mixes[0], mixes[1])
    assert torch.equal(mixes[0], mixes[2])


def test_no_gan_trains_without_a_critic() -> None:
    method = find("no-gan")
    taught = learner(override(tiny(), method.objective), "no-gan")
    assert taught.critic is None
    assert set(taught.step(*lesson(*batch()), 0)) == GENERATOR_TERMS


# Repetition


def test_shared_weights_of_two_variants_start_equal() -> None:
    full, forward = (learner(tiny(), name) for name in ("full", "forward"))
    one, other = weights(full.generator), weights(forward.generator)
    assert set(other) < set(one)
    assert all(torch.equal(one[name], value) for name, value in other.items())
    assert same(weights(full.critic), weights(forward.critic))


def test_seed_decides_the_initial_weights_of_both_networks() -> None:
    first, again, other = (learner(tiny(seed=seed)) for seed in (0, 0, 1))
    for part in ("generator", "critic"):
        one, two, three = (weights(getattr(x, part)) for x in (first, again, other))
        assert same(one, two)
        assert not same(one, three)


def test_step_repeats_bit_for_bit_from_the_same_state() -> None:
    first = learner(tiny())
    first.step(*lesson(*batch()), 0)
    parts = ("generator", "critic", "optimizer", "critic_optimizer")
    state = {name: copy.deepcopy(getattr(first, name).state_dict()) for name in parts}
    terms = first.step(*lesson(*batch()), 1)

    torch.manual_seed(99)  # no draw may come from the global stream
    second = learner(tiny(), "full")
    for name in parts:
        getattr(second, name).load_state_dict(state[name])
    again = second.step(*lesson(*batch()), 1)
    assert same(terms, again)
    assert same(weights(first.generator), weights(second.generator))
    assert same(weights(first.critic), weights(second.critic))


def test_steps_leave_the_global_stream_alone() -> None:
    taught = learner(tiny())
    torch.manual_seed(5)
    taught.step(*lesson(*batch()), 0)
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(3))


# Precision and learning


@pytest.mark.parametrize("method", ["full", "unlearned", "forward", "relu"])
def test_gradients_are_finite_in_bf16(method: str) -> None:
    taught = learner(tiny(), method, precision="bf16")
    kinds: set[torch.dtype] = set()
    for module in taught.generator.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, i, out: kinds.add(out.dtype))
    networks = (taught.critic, taught.generator)
    for optimizer, network in zip(
        (taught.critic_optimizer, taught.optimizer), networks, strict=True
    ):
        check_before_step(optimizer, network)
    for number in range(2):
        terms = taught.step(*lesson(*batch()), number)
        assert all(value.isfinite() for value in terms.values())
    assert kinds == {torch.bfloat16}
    for network in networks:
        assert network is not None
        assert all(p.dtype == torch.float32 for p in network.parameters())


def check_before_step(optimizer: torch.optim.Optimizer, network: nn.Module | None) -> None:
    assert network is not None
    descend = optimizer.step

    def step(*args: Any, **kwargs: Any) -> Any:
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
        return descend(*args, **kwargs)

    optimizer.step = step  # type: ignore[method-assign]


def test_bf16_terms_are_near_those_of_single_precision() -> None:
    found = {}
    for precision in ("no", "bf16"):
        found[precision] = learner(tiny(), precision=precision).step(*lesson(*batch()), 0)
    for name in ("pixel", "perceptual", "style", "total", "real", "fake"):
        exact = found["no"][name].item()
        assert found["bf16"][name].item() == pytest.approx(exact, rel=0.1, abs=0.02), name


@pytest.mark.parametrize("method", ["full", "unlearned", "no-gan"])
def test_forty_steps_fit_one_batch(method: str) -> None:
    taught = learner(override(tiny(), find(method).objective), method)
    terms = [taught.step(*lesson(*batch()), number) for number in range(40)]
    assert terms[-1]["pixel"] < 0.6 * terms[0]["pixel"]
