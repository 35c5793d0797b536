"""The terms of the objective, each a pure function (equations 14-17).

Images are [B,3,H,W] in [0,1], and masks [B,1,H,W] with 1 = known. Features are lists of [B,C,H,W],
one per pooling layer. Scores are [B]. Every term is a scalar tensor.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def pixel_loss(output: Tensor, image: Tensor, mask: Tensor, hole: float = 1.0) -> Tensor:
    """Return the mean of |output - image| (equation 14).

    Pixels of the hole are weighted by `hole`, which is 6 in the released code.
    """
    error = (output - image).abs()
    return error.mean() if hole == 1.0 else (error * (mask + hole * (1 - mask))).mean()


def perceptual_loss(
    features: Sequence[Tensor],
    targets: Sequence[Tensor],
    distance: str = "l2",
    over_layers: str = "mean",
) -> Tensor:
    """Return the distance of features, averaged over elements (equation 15).

    `distance` is `l2`, the square of the L2 norm as in the paper, or `l1` as in the released code.
    `over_layers` is `mean`, or `sum` as in the released code.
    """
    measure = torch.square if distance == "l2" else torch.abs
    terms = [measure(f.float() - t.float()).mean() for f, t in zip(features, targets, strict=True)]
    return _joined(terms, over_layers)


def gram(features: Tensor) -> Tensor:
    """Compute the Gram matrices [B,C,C] of features [B,C,H,W], divided by C·H·W."""
    batch, channels, height, width = features.shape
    # Positions come before channels: this needs no copy where the layout is channels-last.
    flat = features.permute(0, 2, 3, 1).reshape(batch, height * width, channels).float()
    # Sums over thousands of positions: autocast would compute the product in bf16 all the same.
    with torch.autocast(features.device.type, enabled=False):
        return flat.mT @ flat / (channels * height * width)


def style_loss(
    features: Sequence[Tensor], targets: Sequence[Tensor], over_layers: str = "mean"
) -> Tensor:
    """Return the L1 distance of Gram matrices over C², averaged over images (equation 16).

    `over_layers` is `mean`, or `sum` as in the released code.
    """
    terms = [(gram(f) - gram(t)).abs().mean() for f, t in zip(features, targets, strict=True)]
    return _joined(terms, over_layers)


def _joined(terms: list[Tensor], over_layers: str) -> Tensor:
    """Return the sum or the mean of the terms of all layers."""
    stacked = torch.stack(terms)
    return stacked.sum() if over_layers == "sum" else stacked.mean()


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return E[D(fake)] - E[D(real)], which the critic minimises (equation 17).

    It falls when the scores of real images rise. The released code has the sign of D(real) wrong.
    """
    return fake.float().mean() - real.float().mean()


def adversarial_loss(fake: Tensor) -> Tensor:
    """Return -E[D(fake)], which the generator minimises (equation 17)."""
    return -fake.float().mean()


def between(real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """Return the points mix·real + (1-mix)·fake; `mix` is [B,1,1,1]."""
    return mix * real + (1 - mix) * fake


def slope_penalty(slopes: Tensor) -> Tensor:
    """Return E[(|grad D(x)|_2 - 1)²] (equation 17), given the gradients [B,3,H,W] of scores D(x).

    Of a sum of scores, the gradient is each score's own, except for what batch norm mixes between
    images.
    """
    penalty: Tensor = (slopes.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty
