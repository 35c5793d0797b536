"""A plain training step and a plain filling, as in the released code.

The generator's graph is kept through the critic's fakes, VGG runs three times, and the mask has
three equal channels. `speed` times them to say by how much the suite itself is faster.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bench.core import device
from bench.networks.holes import composite
from bench.networks.initialisation import initialise
from bench.networks.interfaces import ReusesMaps
from bench.presets import preset
from bench.profiling import samples
from bench.profiling.timing import STEPS_TO_WARM_UP, median
from bench.training import losses
from bench.training.critic import TwoColumnCritic


def output(network: ReusesMaps, image: Tensor, mask: Tensor) -> Tensor:
    """Return the raw output [B,3,H,W], computed from a mask of three equal channels."""
    return network.from_maps(image, mask, network.attention_maps(mask.expand(-1, 3, -1, -1)))


def step_seconds(repeats: int, batch: int) -> float:
    """Return the median seconds of a training step at 256 pixels in float32."""
    where = device.choose("auto")
    generator = samples.network(preset("paper")).train()
    critic, features = TwoColumnCritic(256).to(where), samples.vgg16_features().to(where)
    initialise(critic, 1)
    optimizers = [torch.optim.Adam(n.parameters(), 1e-4) for n in (generator, critic)]
    image, mask = (x.contiguous() for x in samples.inputs(batch, 256))
    return median(
        lambda: step(generator, critic, features, optimizers, image, mask),
        repeats,
        STEPS_TO_WARM_UP,
    )


def step(
    generator: nn.Module,
    critic: nn.Module,
    features: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    image: Tensor,
    mask: Tensor,
) -> None:
    """Update the critic and the generator once; the generator's optimizer is the first."""
    assert isinstance(generator, ReusesMaps)
    raw = output(generator, image, mask)
    mix = torch.rand(len(image), 1, 1, 1, device=image.device)
    points = losses.between(image, raw, mix).detach().requires_grad_()
    scores = critic(points, mask).sum()
    (slopes,) = torch.autograd.grad(scores, points, create_graph=True)
    penalty = losses.slope_penalty(slopes)
    loss = losses.critic_loss(critic(image, mask), critic(raw, mask)) + 10 * penalty
    optimizers[1].zero_grad()
    loss.backward(retain_graph=True)
    optimizers[1].step()

    # The weights and the L1 distance are those of the released code.
    found, targets = [features(x) for x in (raw, composite(raw, image, mask))], features(image)
    total = losses.pixel_loss(raw, image, mask, 6.0)
    total = total + 0.1 * losses.adversarial_loss(critic(raw, mask))
    for f in found:
        total = total + 0.01 * losses.perceptual_loss(f, targets, "l1")
        total = total + 120 * losses.style_loss(f, targets)
    optimizers[0].zero_grad()
    total.backward()
    optimizers[0].step()
