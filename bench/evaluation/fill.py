"""The one function that calls every network, so that none sees the pixels it has to fill."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.core.device import full_float32
from bench.networks.layers import channels_last


def blank(image: Tensor, mask: Tensor) -> Tensor:
    """Return the image [B,3,H,W] in [0,1] with its hole black; mask [B,1,H,W], 1 = known."""
    return image * mask


def fill(network: nn.Module, image: Tensor, mask: Tensor) -> Tensor:
    """Return the raw output [B,3,H,W] of a network for images whose holes it cannot see.

    The image [B,3,H,W] in [0,1] may hold the true pixels. The hole (mask [B,1,H,W], 1 = known) is
    blanked before the network is called, so that a method which only echoes its input is measured
    as such everywhere. The network runs in evaluation mode and without gradients, and is put back
    into the mode it was in. Learners, which need gradients, are given images with blank holes.
    """
    was_training = network.training
    network.eval()
    with torch.inference_mode(), full_float32():
        mask = channels_last(mask)
        output: Tensor = network(blank(channels_last(image), mask), mask)
    network.train(was_training)
    return output
