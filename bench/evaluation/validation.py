"""The number in validation curves; trainings import it, and nothing else of the evaluation."""

from __future__ import annotations

import torch
from torch import nn

from bench.data.pairs import FrozenPairs
from bench.evaluation.fill import fill
from bench.evaluation.metrics.pixelwise import quantise
from bench.evaluation.metrics.psnr import psnr
from bench.networks.holes import composite


def mean_psnr(network: nn.Module, pairs: FrozenPairs, device: torch.device, batch: int) -> float:
    """Return the mean PSNR of the composites over the pairs in dB, with 8 bits.

    It is computed in batches of `batch` pairs. Pairs without a finite PSNR are left out.
    """
    values = []
    for first in range(0, len(pairs), batch):
        indices = range(first, min(first + batch, len(pairs)))
        images, masks = (x.to(device) for x in pairs.batch(indices))
        image, mask = images.float() / 255, masks.float()
        output, target = quantise(fill(network, image, mask)), quantise(image)
        values.append(psnr(composite(output, target, mask), target))
    measured = torch.cat(values)
    return float(measured[measured.isfinite()].mean())
