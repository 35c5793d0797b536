"""The gradient of a critic by its input, written as ordinary operations, for a gradient penalty.

The penalty (equation 17) is made of the critic's gradient, so that training needs the gradient of a
gradient. Autograd can take it of any network, but takes detours: the gradient of the filters is a
convolution with a kernel as large as the feature map, and that of batch norm has twenty passes over
the features. And no compiler takes a gradient of a gradient. Written as below, the critic's
gradient is one more pass forward, through transposed convolutions, and training takes an ordinary
gradient of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Vjp = Callable[[Tensor], Tensor]
"""Vector-Jacobian product: function from the gradient of an output to that of its input."""


def vjp(layers: Iterable[nn.Module], x: Tensor) -> tuple[Tensor, Vjp]:
    """Return the output of layers in a row, and its vector-Jacobian product at the input `x`.

    The function is that of `torch.func.vjp`, for layers of the kinds in `RULES`: norms in training
    mode, convolutions padded by zeros. A gradient can be taken of what the product returns, by the
    layers' parameters and by `x`. A layer without a rule is a `TypeError`.
    """
    products = []
    for layer in layers:
        if type(layer) not in RULES:
            raise TypeError(f"{type(layer).__name__} has no rule here")
        x, product = RULES[type(layer)](layer, x)
        products.append(product)

    def through_all(grad: Tensor) -> Tensor:
        for product in reversed(products):
            grad = product(grad)
        return grad

    return x, through_all


def _conv(layer: nn.Conv2d, x: Tensor) -> tuple[Tensor, Vjp]:
    stride, padding, dilation = (cast(tuple[int, ...], g) for g in
                                 (layer.stride, layer.padding, layer.dilation))  # fmt: skip

    def product(grad: Tensor) -> Tensor:
        # Strides leave it open how large the input was.
        rest = [
            side - ((out - 1) * s - 2 * p + d * (kernel - 1) + 1)
            for side, out, kernel, s, p, d in zip(
                x.shape[2:], grad.shape[2:], layer.kernel_size, stride, padding, dilation,
                strict=True,
            )
        ]  # fmt: skip
        return F.conv_transpose2d(
            grad, layer.weight, None, stride, padding, rest, layer.groups, dilation
        )

    return layer(x), product


def _linear(layer: nn.Linear, x: Tensor) -> tuple[Tensor, Vjp]:
    return layer(x), lambda grad: F.linear(grad, layer.weight.T)


def _flatten(layer: nn.Flatten, x: Tensor) -> tuple[Tensor, Vjp]:
    return layer(x), lambda grad: grad.reshape(x.shape)


def _leaky_relu(layer: nn.LeakyReLU, x: Tensor) -> tuple[Tensor, Vjp]:
    def product(grad: Tensor) -> Tensor:
        # The slope is constant wherever it has a derivative.
        found: Tensor = torch.ops.aten.leaky_relu_backward(
            grad, x.detach(), layer.negative_slope, False
        )
        return found

    return layer(x), product


def _sigmoid(layer: nn.Sigmoid, x: Tensor) -> tuple[Tensor, Vjp]:
    y = layer(x)
    return y, lambda grad: grad * y * (1 - y)


def _identity(layer: nn.Identity, x: Tensor) -> tuple[Tensor, Vjp]:
    return x, lambda grad: grad


def _batch_norm(layer: nn.BatchNorm2d, x: Tensor) -> tuple[Tensor, Vjp]:
    # What the layer itself does in training, but with the statistics of the batch returned.
    assert layer.num_batches_tracked is not None and layer.momentum is not None
    layer.num_batches_tracked.add_(1)
    y, mean, rate = torch.native_batch_norm(
        x, layer.weight, layer.bias, layer.running_mean, layer.running_var, True, layer.momentum,
        layer.eps,
    )  # fmt: skip

    def product(grad: Tensor) -> Tensor:
        found: Tensor = _BatchNormVjp.apply(grad, x, layer.weight, mean, rate)  # type: ignore[no-untyped-call]
        return found

    return y, product


class _BatchNormVjp(torch.autograd.Function):
    """The gradient of batch norm's input x [B,C,H,W], given that of its output.

    With g the gradient of the output, w the weights, s = (var(x) + eps)^-1/2, z = s (x - mean(x)),
    means over all but channels, and P(u) = u - mean(u) - z mean(u z), it is s w P(g).
    """

    @staticmethod
    def forward(
        ctx: Any, grad: Tensor, x: Tensor, weight: Tensor, mean: Tensor, rate: Tensor
    ) -> Tensor:
        found, *means = _input_gradient(grad, x, weight, mean, rate)
        ctx.save_for_backward(grad, x, weight, mean, rate, found, *means)
        return found

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of <v, s w P(g)> by g, x and w; v is what comes here.

        P is symmetric, so that by g it is s w P(v). By w it is s <v, P(g)>. As z = s (x - mean(x)),
        dz = s P(dx) and ds = -s^2 mean(z dx); so by x it is
        -s^2 w (mean(g z) P(v) + mean(v z) P(g) + z mean(v P(g))).
        """
        (v,), (g, x, weight, mean, rate, of_g, g_z, g_mean) = grads, ctx.saved_tensors
        number = x.numel() // x.shape[1]
        of_v, v_z, v_mean = _input_gradient(v, x, weight, mean, rate)
        product = (v * g).mean((0, 2, 3), dtype=weight.dtype) - v_mean * g_mean - v_z * g_z
        by_x = of_v * _of_channels(-rate * g_z, x)
        by_x.addcmul_(of_g, _of_channels(-rate * v_z, x))
        by_x.addcmul_(x - _of_channels(mean, x), _of_channels(-(rate**3) * weight * product, x))
        return of_v, by_x, number * rate * product, None, None


def _input_gradient(
    grad: Tensor, x: Tensor, weight: Tensor, mean: Tensor, rate: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return s w P(g) as above, mean(g z) and mean(g)."""
    number = x.numel() // x.shape[1]
    found, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
        grad, x, weight, None, None, mean, rate, True, 0.0, [True, True, True]
    )
    return found, by_weight / number, by_bias / number


def _of_channels(x: Tensor, like: Tensor) -> Tensor:
    """Return numbers of channels [C] as [C,1,1], in the precision of `like`."""
    return x[:, None, None].to(like.dtype)


RULES: dict[type[nn.Module], Callable[[Any, Tensor], tuple[Tensor, Vjp]]] = {
    nn.Conv2d: _conv,
    nn.Linear: _linear,
    nn.Flatten: _flatten,
    nn.LeakyReLU: _leaky_relu,
    nn.Sigmoid: _sigmoid,
    nn.Identity: _identity,
    nn.BatchNorm2d: _batch_norm,
}
"""Functions from a layer and its input to its output and vector-Jacobian product."""
