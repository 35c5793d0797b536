"""The functions from a convolved mask Mc to its attention map and the next mask.

They are equations 4, 5, 8 and 9.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bench.core.errors import unknown

ALPHA = 0.8
"""Exponent of the mask update (equation 8)."""
SLOPE_FLOOR = 1e-6
"""Input below which gM's slope is held constant, since the slope of x^0.8 is infinite at 0."""
ANY, NOT_NEGATIVE = (-math.inf, math.inf), (0.0, math.inf)
LIMITS: dict[str, dict[str, tuple[float, float]]] = {
    "bell": {"a": ANY, "mu": ANY, "gamma_left": NOT_NEGATIVE, "gamma_right": NOT_NEGATIVE},
    "released": {
        "a": (1.01, 6.0), "mu": (0.1, 3.0), "gamma_left": (0.5, 2.0), "gamma_right": (0.5, 2.0)
    },
}  # fmt: skip
"""Ranges to which the scalars of gA are clamped, by their name in `Spec`. Equation 9 states none,
but gammas fall with training, and below 0 its bells become valleys without bound: two of two
trainings at a rate of 1e-2 ended in NaN. `bell` prevents this and nothing else; `released` is the
released code's."""


class _MaskUpdate(torch.autograd.Function):
    """The function relu(x)^0.8 with a bounded slope."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        result: Tensor = x.relu().pow_(ALPHA)
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        slope = x.clamp_min(SLOPE_FLOOR).pow_(ALPHA - 1).mul_(ALPHA)
        result: Tensor = torch.ops.aten.threshold_backward(grads[0] * slope, x, 0)
        return result


def mask_update(x: Tensor) -> Tensor:
    """Return gM(x) = relu(x)^0.8 (equation 8), any shape, with finite gradients everywhere.

    The forward value is exact; the slope is 0.8·max(x, 1e-6)^-0.2 where x > 0, and 0 elsewhere.
    """
    result: Tensor = _MaskUpdate.apply(x)  # type: ignore[no-untyped-call]
    return result


def inverse(x: Tensor) -> Tensor:
    """Return fA(x) = 1/x where x > 0, else 0 (equation 4), any shape.

    Coverages are multiples of 1/(kernel area); the floor below them keeps gradients finite.
    """
    return torch.where(x > 0, x.clamp_min(SLOPE_FLOOR).reciprocal(), 0.0)


def binary(x: Tensor) -> Tensor:
    """Return fM(x) = 1 where x > 0, else 0 (equation 5), any shape."""
    return (x > 0).to(x.dtype)


class _Bounded(torch.autograd.Function):
    """The function clamp(x, low, high), with no gradient only where a step would lead further out.

    A plain clamp has no gradient outside its range, so a parameter that overshot would be stuck.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.limits = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (x,), (low, high), grad = ctx.saved_tensors, ctx.limits, grads[0]
        outwards = ((x <= low) & (grad > 0)) | ((x >= high) & (grad < 0))
        return torch.where(outwards, torch.zeros_like(grad), grad), None, None


def bounded(x: Tensor, low: float, high: float) -> Tensor:
    """Return `x` clamped to [low, high]; gradient descent can always lead back inside."""
    result: Tensor = _Bounded.apply(x, low, high)  # type: ignore[no-untyped-call]
    return result


class GaussianAttention(nn.Module):
    """The attention gA (equation 9): a·exp(-γl(x-μ)²) for x < μ, else 1 + (a-1)·exp(-γr(x-μ)²).

    a, μ, γl and γr are learnable scalars, clamped to the named `LIMITS` where they are used.
    """

    def __init__(
        self, a: float = 1.1, mu: float = 2.0, gamma: float = 1.0, limits: str = "bell"
    ) -> None:
        super().__init__()
        if limits not in LIMITS:
            raise unknown("limits of gA", limits, LIMITS)
        self.limits = LIMITS[limits]
        self.a = nn.Parameter(torch.tensor(a))
        self.mu = nn.Parameter(torch.tensor(mu))
        self.gamma_left = nn.Parameter(torch.tensor(gamma))
        self.gamma_right = nn.Parameter(torch.tensor(gamma))

    def scalars(self) -> dict[str, Tensor]:
        """Return a, mu, gamma_left and gamma_right, clamped."""
        return {name: bounded(getattr(self, name), *ends) for name, ends in self.limits.items()}

    def forward(self, x: Tensor) -> Tensor:
        """Compute the attention map, which has the shape of the convolved mask `x`."""
        a, mu, gamma_left, gamma_right = self.scalars().values()
        # Both sides by arithmetic, which gives the same numbers: on CPUs, choosing elements by
        # `torch.where` takes ten times as long as multiplying them.
        right = (x >= mu).to(mu.dtype)
        gamma = torch.lerp(gamma_left, gamma_right, right)
        bell = torch.exp(-gamma * (x - mu).square())
        return ((a - right) * bell + right).to(x.dtype)


class _Apply(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gaussian": GaussianAttention,
    "power": lambda: _Apply(mask_update),
    "inverse": lambda: _Apply(inverse),
    "binary": lambda: _Apply(binary),
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "lrelu": lambda: nn.LeakyReLU(0.2),
}
"""Functions that build an activation, by its name in `Spec`."""
