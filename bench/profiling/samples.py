"""The material of the timed work: photographs, masks, and networks with random weights."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench import registry
from bench.config import Config, override
from bench.core import device
from bench.data.batches import Batches
from bench.data.inputs import Inputs
from bench.data.masks.family import GeneratedMasks
from bench.networks.initialisation import initialise
from bench.networks.layers import channels_last
from bench.networks.vgg_features import POOL3, PoolFeatures
from bench.presets import preset
from bench.profiling.rate import matrix_rate
from bench.training.precision import Precision


def precisions() -> list[Precision]:
    """Return the precisions to time: fp32, and bf16 where the device multiplies faster in it."""
    return ["fp32", "bf16"] if matrix_rate("bf16") > matrix_rate("fp32") else ["fp32"]


def inputs(batch: int, size: int) -> tuple[Tensor, Tensor]:
    """Return images [B,3,S,S] in [0,1] and masks [B,1,S,S], 1 = known, on the chosen device.

    They have the layout in which the trainer and `fill` hand them to a network.
    """
    source, where = GeneratedMasks(("shapes",)), device.choose("auto")
    drawn = np.stack([source.training(size, (0.2, 0.4), 0, i) for i in range(batch)])
    image = photographs(batch, size).float() / 255
    mask = torch.from_numpy(drawn)[:, None].float()
    return channels_last(image.to(where)), channels_last(mask.to(where))


def photographs(count: int, size: int) -> Tensor:
    """Return `count` crops [B,3,S,S] of the sample photographs, uint8."""
    config = override(preset("quick"), {"size": size, "resize": size, "batch_size": count})
    return sample_batches(config)[0][0]


@cache
def sample_batches(config: Config) -> Batches:
    """Return the training batches of the sample photographs."""
    config = override(config, {"images": "sample", "masks": "shapes,strokes"})
    # The pixels lie in files that are mapped into memory, and stay there without their folder.
    with tempfile.TemporaryDirectory() as folder:
        return Inputs(config, Path(folder)).train


def network(config: Config) -> nn.Module:
    """Return the network of the reference method, with random weights."""
    built = registry.reference().build(config.model).to(device.choose("auto"))
    initialise(built, 0)
    return built.eval()


def vgg16_features() -> PoolFeatures:
    """Return the paper's perceptual network with random weights."""
    from torchvision.models import vgg16

    return PoolFeatures(vgg16(weights=None).features[:POOL3])
