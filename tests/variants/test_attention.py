"""Attention and mask update (equations 4, 5, 8, 9) against scalar formulas, and their gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bench.core.errors import UserError
from variants.lbam.attention import (
    ACTIVATIONS,
    LIMITS,
    GaussianAttention,
    binary,
    bounded,
    inverse,
    mask_update,
)

EXTREMES = (-1e4, -1.0, -1e-7, -0.0, 0.0, 1e-38, 1e-7, 1e-3, 0.5, 1.0, 2.0, 10.0, 1e4)
OPTIMIZERS: dict[str, Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer]] = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.5),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.5, betas=(0.5, 0.9)),
}


def attention(a: float, mu: float, left: float, right: float) -> GaussianAttention:
    module = GaussianAttention()
    with torch.no_grad():
        module.a.fill_(a)
        module.mu.fill_(mu)
        module.gamma_left.fill_(left)
        module.gamma_right.fill_(right)
    return module


def equation_9(x: float, a: float, mu: float, left: float, right: float) -> float:
    if x < mu:
        return a * math.exp(-left * (x - mu) ** 2)
    return 1 + (a - 1) * math.exp(-right * (x - mu) ** 2)


@pytest.mark.parametrize(
    "scalars", [(1.1, 2.0, 1.0, 1.0), (3.0, 1.0, 0.5, 2.0), (1.01, 0.1, 1.7, 0.6)]
)
def test_gaussian_is_equation_9_on_both_sides_of_mu(scalars: tuple[float, ...]) -> None:
    a, mu, left, right = scalars
    xs = [mu + offset for offset in (-4.0, -1.3, -0.2, 0.0, 0.2, 1.3, 4.0)]
    found = attention(*scalars).double()(torch.tensor(xs, dtype=torch.float64))
    # The scalars themselves are stored in float32.
    assert found.tolist() == pytest.approx(
        [equation_9(x, a, mu, left, right) for x in xs], rel=1e-6
    )


def test_gaussian_starts_at_the_papers_values() -> None:
    used = GaussianAttention().scalars()
    assert {name: value.item() for name, value in used.items()} == pytest.approx(
        {"a": 1.1, "mu": 2.0, "gamma_left": 1.0, "gamma_right": 1.0}
    )


def test_gaussian_is_continuous_at_mu_with_peak_a() -> None:
    module = attention(2.5, 1.5, 0.5, 2.0).double()
    x = torch.tensor([1.5 - 1e-7, 1.5, 1.5 + 1e-7], dtype=torch.float64)
    assert module(x).tolist() == pytest.approx([2.5, 2.5, 2.5], abs=1e-9)
    assert module(torch.linspace(-3, 6, 901)).max().item() <= 2.5


def test_gaussian_falls_to_zero_left_and_to_one_right() -> None:
    left, right = attention(3.0, 1.0, 1.0, 1.0)(torch.tensor([-30.0, 30.0])).tolist()
    assert (left, right) == (0.0, 1.0)


def test_power_value_is_exactly_relu_to_the_0_8() -> None:
    x = torch.cat([torch.tensor(EXTREMES), torch.linspace(-2, 2, 401)])
    assert torch.equal(mask_update(x), x.relu() ** 0.8)


def test_power_slope_is_floored_and_zero_for_the_uncovered() -> None:
    x = torch.tensor([*EXTREMES, 1e-6, 2e-6, 5e-7], dtype=torch.float64, requires_grad=True)
    mask_update(x).sum().backward()
    expected = [0.8 * max(v, 1e-6) ** -0.2 if v > 0 else 0.0 for v in x.tolist()]
    assert x.grad is not None
    assert x.grad.tolist() == pytest.approx(expected, rel=1e-12)


def test_power_slope_scales_the_incoming_gradient() -> None:
    x = torch.tensor([0.3, 2.0], requires_grad=True)
    mask_update(x).backward(torch.tensor([2.0, -3.0]))
    assert x.grad is not None
    assert x.grad.tolist() == pytest.approx([2 * 0.8 * 0.3**-0.2, -3 * 0.8 * 2.0**-0.2])


def test_power_leaves_its_input_alone() -> None:
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    mask_update(x).sum().backward()
    assert x.tolist() == [-1.0, 0.0, 2.0]


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_masks_survive_several_updates_under_anomaly_detection() -> None:
    mask = torch.tensor(EXTREMES, requires_grad=True)
    with torch.autograd.detect_anomaly(check_nan=True):
        mask_update(mask_update(mask_update(mask))).sum().backward()
    assert mask.grad is not None
    assert mask.grad.isfinite().all()


def test_inverse_is_equation_4() -> None:
    x = torch.tensor([-1.0, -0.0, 0.0, 1 / 16, 0.5, 1.0])
    assert inverse(x).tolist() == [0.0, 0.0, 0.0, 16.0, 2.0, 1.0]


def test_binary_is_equation_5() -> None:
    x = torch.tensor([-1.0, -0.0, 0.0, 1 / 16, 0.5, 1.0])
    assert binary(x).tolist() == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    assert binary(x.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activation_is_finite_with_finite_gradients(name: str, dtype: torch.dtype) -> None:
    module = ACTIVATIONS[name]()
    x = torch.tensor(EXTREMES).to(dtype).requires_grad_()
    y = module(x)
    assert y.dtype == dtype
    assert y.shape == x.shape
    assert y.isfinite().all()
    if not y.requires_grad:
        assert name == "binary"
        return
    y.float().sum().backward()
    for tensor in (x, *module.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()


def test_activations_of_table_2_are_the_plain_functions() -> None:
    x = torch.tensor([-2.0, 0.0, 3.0])
    assert ACTIVATIONS["sigmoid"]()(x).tolist() == pytest.approx(
        [1 / (1 + math.exp(-v)) for v in x.tolist()]
    )
    assert ACTIVATIONS["relu"]()(x).tolist() == [0.0, 0.0, 3.0]
    assert ACTIVATIONS["lrelu"]()(x).tolist() == pytest.approx([-0.4, 0.0, 3.0])


def test_unknown_limits_are_a_mistake_of_the_user() -> None:
    with pytest.raises(UserError, match="unknown limits of gA 'relased'; did you mean released"):
        GaussianAttention(limits="relased")


def test_limits_are_the_released_codes() -> None:
    assert LIMITS["released"] == {
        "a": (1.01, 6.0),
        "mu": (0.1, 3.0),
        "gamma_left": (0.5, 2.0),
        "gamma_right": (0.5, 2.0),
    }


def drive(
    module: GaussianAttention, name: str, sign: float, optimizer: torch.optim.Optimizer, steps: int
) -> list[float]:
    """The used value of one scalar after each step down the slope of sign·value."""
    values = []
    for _ in range(steps):
        optimizer.zero_grad()
        (sign * module.scalars()[name]).backward()
        optimizer.step()
        values.append(module.scalars()[name].item())
    return values


@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["down", "up"])
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@pytest.mark.parametrize("name", sorted(LIMITS["released"]))
def test_scalar_stays_within_its_limits_and_comes_back(
    name: str, optimizer: str, sign: float
) -> None:
    module = GaussianAttention(limits="released")
    low, high = LIMITS["released"][name]
    descent = OPTIMIZERS[optimizer](list(module.parameters()))
    outwards = drive(module, name, sign, descent, 60)
    assert all(low - 1e-6 <= value <= high + 1e-6 for value in outwards)
    assert outwards[-1] == pytest.approx(low if sign > 0 else high)
    inwards = drive(module, name, -sign, descent, 8)
    assert all(low - 1e-6 <= value <= high + 1e-6 for value in inwards)
    # Clamping alone has no gradient out there, and would stay at the limit for ever.
    assert abs(inwards[-1] - outwards[-1]) > 0.1


def test_scalar_that_starts_on_its_limit_can_leave_it() -> None:
    # As gamma does in the released code's reverse branch.
    module = GaussianAttention(mu=1.0, gamma=0.5, limits="released")
    descent = OPTIMIZERS["sgd"](list(module.parameters()))
    assert drive(module, "gamma_left", -1.0, descent, 2)[-1] == pytest.approx(1.5)


@pytest.mark.parametrize("scalars", [(9.0, -4.0, 0.01, 50.0), (0.5, 4.0, 3.0, 0.1)])
def test_every_bell_of_equation_9_is_one_where_the_paper_is_followed(
    scalars: tuple[float, ...],
) -> None:
    xs = [-5.0, -3.9, 0.0, 0.4, 2.0, 4.5]
    found = attention(*scalars).double()(torch.tensor(xs, dtype=torch.float64))
    assert found.tolist() == pytest.approx(
        [equation_9(x, *scalars) for x in xs], rel=1e-6, abs=1e-12
    )


def test_gammas_below_zero_make_no_valley_without_bound() -> None:
    module = attention(1.1, 2.0, -0.5, -3.0)
    assert module(torch.tensor([-1e4, -30.0, 30.0, 1e4])).tolist() == pytest.approx([1.1] * 4)
    descent = OPTIMIZERS["sgd"](list(module.parameters()))
    drive(module, "gamma_left", -1.0, descent, 4)
    assert module.scalars()["gamma_left"].item() == pytest.approx(1.5)  # -0.5 + 4 steps of 0.5


def test_attention_uses_the_held_scalars() -> None:
    x = torch.linspace(-2, 6, 81)
    outside, inside = attention(9.0, -4.0, 0.01, 50.0), attention(6.0, 0.1, 0.5, 2.0)
    assert not torch.equal(outside(x), inside(x))
    outside.limits = LIMITS["released"]
    assert torch.equal(outside(x), inside(x))


def test_bounded_gradient_vanishes_only_outwards() -> None:
    def slope(value: float, incoming: float) -> float:
        x = torch.tensor(value, requires_grad=True)
        (incoming * bounded(x, 0.0, 1.0)).backward()
        assert x.grad is not None
        return x.grad.item()

    # Descent moves against the gradient: a positive one leads down.
    assert [slope(-1.0, g) for g in (2.0, -2.0)] == [0.0, -2.0]
    assert [slope(2.0, g) for g in (2.0, -2.0)] == [2.0, 0.0]
    assert [slope(0.5, g) for g in (2.0, -2.0)] == [2.0, -2.0]


def test_gaussian_gradients_agree_with_finite_differences() -> None:
    module = GaussianAttention()

    def forward(x: Tensor, *scalars: Tensor) -> Tensor:
        named = dict(zip(LIMITS["bell"], scalars, strict=True))
        found: Tensor = torch.func.functional_call(module, named, (x,))
        return found

    x = torch.tensor([-1.0, 0.0, 0.4, 1.3, 1.5, 2.2, 4.0])
    values = (x, *(torch.tensor(v) for v in (1.7, 1.4, 0.8, 1.6)))
    inputs = tuple(v.double().requires_grad_() for v in values)
    assert torch.autograd.gradcheck(forward, inputs)


def test_power_gradient_agrees_with_finite_differences_where_covered() -> None:
    x = torch.tensor([-3.0, -0.1, 0.01, 0.3, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(mask_update, (x,))
