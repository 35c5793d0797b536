"""Generators of all kinds, and inputs that show what they do."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.config import Model
from variants.lbam import FULL, Spec
from variants.lbam.generator import Generator

SPECS = {
    "full": FULL,
    "unlearned": replace(FULL, learned_masks=False, attention="inverse", mask_update="binary"),
    "forward": replace(FULL, reverse=False),
    "sigmoid": replace(FULL, attention="sigmoid"),
    "lrelu": replace(FULL, attention="lrelu"),
    "relu": replace(FULL, attention="relu"),
    "3x3": replace(FULL, mask_kernel=3),
    "without norm": replace(FULL, batch_norm=False),
    "released limits": replace(FULL, limits="released"),
}
SMALL = Model(width=4, depth=4)


def blobs(height: int, width: int, batch: int = 2, seed: int = 0) -> Tensor:
    """Masks [B,1,H,W] with large and small holes and lone known pixels inside them."""
    stream = torch.Generator().manual_seed(seed)
    coarse = (torch.rand(batch, 1, -(-height // 8), -(-width // 8), generator=stream) > 0.5).float()
    mask = F.interpolate(coarse, scale_factor=8.0)[..., :height, :width]
    return torch.where(torch.rand(mask.shape, generator=stream) > 0.03, mask, 1 - mask)


def photos(height: int, width: int, batch: int = 2, seed: int = 1) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, height, width, generator=stream)


def lively(spec: Spec, model: Model, seed: int = 0) -> Generator:
    """A generator in eval mode whose activations are neither tiny nor saturated.

    Scalars differ between levels and some lie outside their ranges; batch norm's statistics are not
    the initial ones.
    """
    network = Generator(model, spec).eval()
    stream = torch.Generator().manual_seed(seed)

    def uniform(like: Tensor, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(like.shape, generator=stream)

    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.dim() == 4:
                fan_in = parameter[0].numel()
                if name.startswith("decoder."):  # [in, out, 4, 4], of which stride 2 uses a quarter
                    fan_in = parameter.shape[0] * 4
                noise = torch.randn(parameter.shape, generator=stream)
                parameter.copy_(noise * math.sqrt(2 / fan_in))
            elif parameter.dim() == 1:
                low, high = (0.5, 1.5) if name.endswith("weight") else (-0.3, 0.3)
                parameter.copy_(uniform(parameter, low, high))
            else:
                low, high = {"a": (0.8, 3.0), "mu": (0.0, 1.5)}.get(
                    name.rpartition(".")[2], (0.3, 2.2)
                )
                parameter.copy_(uniform(parameter, low, high))
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(uniform(buffer, -0.3, 0.3))
            elif name.endswith("running_var"):
                buffer.copy_(uniform(buffer, 0.3, 2.0))
    return network
