"""Contextual attention: each place is rebuilt from known patches that look like it.

Both public versions take the mask of a batch's first image for all of them; here each image has its
own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

RATE = 2
"""Features are matched at half of their sides."""
NORM_FLOOR = 1e-4
SHARPNESS = 10.0
"""Scale of the scores before the softmax."""


def contextual_attention(features: Tensor, mask: Tensor) -> Tensor:
    """Features [B,C,H,W], even sides, rebuilt from their known patches; mask [B,1,H,W], 1 = known.

    At half the sides, each place's 3x3 patch is compared with all normalised patches; the scores
    are fused along the diagonals and become weights by a softmax over the wholly known patches;
    with these the raw 4x4 patches of the full features are pasted. An image without a wholly known
    patch keeps its features as they are.
    """
    height, width = (side // RATE for side in features.shape[-2:])
    # In float32: sums over thousands of patches and a softmax of ten times their cosine.
    with torch.autocast(features.device.type, enabled=False):
        valid = known_patches(mask.float())
        scores = fuse(similarities(features.float()), height, width)
        weights = softmax_over_valid(scores, valid)
        rebuilt = paste(features.float(), weights)
    matched = valid.any(1)[:, None, None, None]
    return torch.where(matched, rebuilt.to(features.dtype), features)


def similarities(features: Tensor) -> Tensor:
    """Scores [B,N,N] of 3x3 patches at half the sides: normalised patch by row, place by column."""
    patches = F.unfold(features[..., ::RATE, ::RATE], 3, padding=1)
    norms: Tensor = patches.norm(dim=1, keepdim=True)
    return (patches / norms.clamp_min(NORM_FLOOR)).mT @ patches


def fuse(scores: Tensor, height: int, width: int) -> Tensor:
    """Neighbouring places like neighbouring patches: scores are summed along diagonals, k = 3.

    Once in the order of rows and once in that of columns, as published.
    """
    batch, count = len(scores), height * width
    scores = _diagonal_sums(scores)
    scores = _transposed(scores, height, width)
    scores = _diagonal_sums(scores)
    return _transposed(scores, width, height).reshape(batch, count, count)


def softmax_over_valid(scores: Tensor, valid: Tensor) -> Tensor:
    """Weights [B,N,N] over the patches (dim 1) that are valid [B,N]; all 0 where none is."""
    excluded = ~valid[:, :, None]
    logits = (SHARPNESS * scores).masked_fill(excluded, torch.finfo(scores.dtype).min)
    return logits.softmax(1).masked_fill(excluded, 0.0)


def known_patches(mask: Tensor) -> Tensor:
    """Which 3x3 patches at half the sides hold no hole, [B,N]; mask [B,1,H,W], 1 = known.

    A place at half the sides is known if all its pixels are; beyond the border nothing is a hole.
    """
    hole = F.max_pool2d(1 - mask, RATE)
    return F.max_pool2d(hole, 3, stride=1, padding=1).flatten(1) == 0


def paste(features: Tensor, weights: Tensor) -> Tensor:
    """Features [B,C,H,W] as weighted sums of raw 4x4 patches, overlaps averaged by four."""
    patches = F.unfold(features, 2 * RATE, padding=RATE // 2, stride=RATE)
    size = features.shape[-2:]
    return F.fold(patches @ weights, size, 2 * RATE, padding=RATE // 2, stride=RATE) / 4


def _diagonal_sums(scores: Tensor) -> Tensor:
    """s[i-1,j-1] + s[i,j] + s[i+1,j+1] of [B,N,N], zero outside."""
    padded = F.pad(scores, (1, 1, 1, 1))
    return padded[:, :-2, :-2] + scores + padded[:, 2:, 2:]


def _transposed(scores: Tensor, height: int, width: int) -> Tensor:
    """[B,N,N] with both sides' places, listed by rows, listed by columns instead."""
    grid = scores.reshape(-1, height, width, height, width).permute(0, 2, 1, 4, 3)
    return grid.reshape(scores.shape)
