"""A convolution whose gradient is differentiated fast, for critics with a gradient penalty.

The penalty (equation 17) is made of the critic's gradient, so that training needs the gradient of a
gradient. That of the filters torch computes as a convolution with a kernel as large as the feature
map, over channels as if they were images, and in another memory layout than their other gradients.
It is an ordinary gradient of filters, for which there are fast kernels, as in conv2d_gradfix of
Karras et al., *Training Generative Adversarial Networks with Limited Data* (NeurIPS 2020).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Geometry(NamedTuple):
    """Geometry of a convolution; each field is a pair of rows and columns, pixels."""

    stride: Any
    padding: Any
    dilation: Any


class PenalisedConv2d(nn.Conv2d):
    """The `nn.Conv2d`, with one group and padding by zeros, for critics with a gradient penalty.

    Values and gradients are the same. With `create_graph`, only the gradient of the input can be
    asked for; its own gradient cannot be differentiated again.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of `x` [B,C,H,W]."""
        parts, kind = [x, self.weight, self.bias], x.device.type
        # Autocast does not reach into a `Function`.
        if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
            dtype = torch.get_autocast_dtype(kind)
            parts = [None if part is None else part.to(dtype) for part in parts]
        geometry = Geometry(self.stride, self.padding, self.dilation)
        result: Tensor = _Convolution.apply(*parts, geometry)  # type: ignore[no-untyped-call]
        return result


class _Convolution(torch.autograd.Function):
    """The convolution of an input [B,C,H,W] with filters and a bias."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        return F.conv2d(x, weight, bias, *geometry)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        if not torch.is_grad_enabled():
            wanted = ctx.needs_input_grad[:3]
            return (*_gradients(grads[0], x, weight, ctx.geometry, wanted), None)
        # With `create_graph`. Autograd does not say whose gradients are asked for, and those of the
        # filters would be made in vain.
        of_input = None
        if ctx.needs_input_grad[0]:
            of_input = _InputGradient.apply(grads[0], x, weight, ctx.geometry)  # type: ignore[no-untyped-call]
        return of_input, None, None, None


class _InputGradient(torch.autograd.Function):
    """The gradient of a convolution's input, a function of that of its output and the filters."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(grad, weight)
        ctx.geometry = geometry
        found = _gradients(grad, x, weight, geometry, (True, False, False))[0]
        assert found is not None
        return found

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad, weight = ctx.saved_tensors
        # The function is linear in both, as <g, weight * x> is in g and the filters: the gradient
        # that arrives here takes the place of x.
        of_grad = F.conv2d(grads[0], weight, None, *ctx.geometry)
        of_weight = _gradients(grad, grads[0], weight, ctx.geometry, (False, True, False))[1]
        return of_grad, None, of_weight, None


def _gradients(
    grad: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, wanted: tuple[bool, bool, bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Return the `wanted` gradients of input, filters and bias, from that of the output."""
    transposed, groups = False, 1
    found: tuple[Tensor | None, Tensor | None, Tensor | None]
    found = torch.ops.aten.convolution_backward(
        grad, x, weight, [len(weight)], *geometry, transposed, [0, 0], groups, wanted
    )
    return found
