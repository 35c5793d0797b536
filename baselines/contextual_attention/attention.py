"""Contextual attention, which rebuilds each place from known patches that look like it.

Both public versions use the mask of a batch's first image for all images; here each image has its
own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

RATE = 2
"""Factor by which features are made smaller before they are matched."""
NORM_FLOOR = 1e-4
"""Least norm by which a patch is divided, so that a patch of zeros stays finite."""
SHARPNESS = 10.0
"""Scale of the scores before the softmax."""


def contextual_attention(features: Tensor, mask: Tensor) -> Tensor:
    """Rebuild features [B,C,H,W] from their known patches; mask [B,1,H,W], 1 = known.

    The sides must be even. At half the sides, each place's 3x3 patch is compared with all
    normalised patches. The scores are fused along the diagonals, and become weights by a softmax
    over the wholly known patches. With these weights the raw 4x4 patches of the full features are
    pasted. An image without a wholly known patch keeps its features as they are.
    """
    height, width = (side // RATE for side in features.shape[-2:])
    # Sums over thousands of patches, and a softmax of ten times their cosine, need float32.
    with torch.autocast(features.device.type, enabled=False):
        valid = known_patches(mask.float())
        scores = fuse(similarities(features.float()), height, width)
        weights = softmax_over_valid(scores, valid)
        rebuilt = paste(features.float(), weights)
    matched = valid.any(1)[:, None, None, None]
    return torch.where(matched, rebuilt.to(features.dtype), features)


def similarities(features: Tensor) -> Tensor:
    """Compute the scores [B,N,N] of 3x3 patches at half the sides.

    A row belongs to a normalised patch, a column to a place.
    """
    patches = F.unfold(features[..., ::RATE, ::RATE], 3, padding=1)
    norms: Tensor = patches.norm(dim=1, keepdim=True)
    return (patches / norms.clamp_min(NORM_FLOOR)).mT @ patches


def fuse(scores: Tensor, height: int, width: int) -> Tensor:
    """Sum scores [B,N,N] along diagonals (k = 3), so that neighbours prefer neighbouring patches.

    It is done once in the order of rows and once in that of columns, as published.
    """
    scores = _diagonal_sums(scores)
    scores = _transposed(scores, height, width)
    scores = _diagonal_sums(scores)
    return _transposed(scores, width, height)


def softmax_over_valid(scores: Tensor, valid: Tensor) -> Tensor:
    """Return weights [B,N,N] over the patches (dim 1) that are valid [B,N]; 0 where none is."""
    excluded = ~valid[:, :, None]
    logits = (SHARPNESS * scores).masked_fill(excluded, torch.finfo(scores.dtype).min)
    return logits.softmax(1).masked_fill(excluded, 0.0)


def known_patches(mask: Tensor) -> Tensor:
    """Find the 3x3 patches at half the sides without any hole, [B,N]; mask [B,1,H,W], 1 = known.

    A place at half the sides is known if all its pixels are. Outside the border nothing is a hole.
    """
    hole = F.max_pool2d(1 - mask, RATE)
    return F.max_pool2d(hole, 3, stride=1, padding=1).flatten(1) == 0


def paste(features: Tensor, weights: Tensor) -> Tensor:
    """Paste weighted sums of the raw 4x4 patches of features [B,C,H,W] in place of them."""
    # Patches of side 4 at steps of 2 overlap four times, so their sum is divided by 4.
    patches = F.unfold(features, 2 * RATE, padding=RATE // 2, stride=RATE)
    size = features.shape[-2:]
    return F.fold(patches @ weights, size, 2 * RATE, padding=RATE // 2, stride=RATE) / 4


def _diagonal_sums(scores: Tensor) -> Tensor:
    """Sum s[i-1,j-1] + s[i,j] + s[i+1,j+1] of scores [B,N,N], which are zero outside."""
    padded = F.pad(scores, (1, 1, 1, 1))
    return padded[:, :-2, :-2] + scores + padded[:, 2:, 2:]


def _transposed(scores: Tensor, height: int, width: int) -> Tensor:
    """Turn scores [B,N,N] with places listed by rows into scores with places listed by columns."""
    grid = scores.reshape(-1, height, width, height, width).permute(0, 2, 1, 4, 3)
    return grid.reshape(scores.shape)
