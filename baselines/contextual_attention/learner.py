"""The objective of contextual attention: L1 of both stages, a global and a local WGAN-GP."""

from __future__ import annotations

import logging

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from baselines.contextual_attention.network import CRITICS_STRIDE, Critics, TwoStages
from bench.config import Config
from bench.core.seeds import derive, torch_rng
from bench.networks.holes import composite
from bench.networks.initialisation import glorot, initialise
from bench.networks.limits import multiple_of
from bench.training import losses
from bench.training.learner import Learner, adam, detached, total

log = logging.getLogger(__name__)
COARSE = 1.2
"""Weight of the error in the hole after the coarse stage; after the refined stage it is 1."""
ADVERSARIAL, PENALTY = 0.001, 10.0
"""Weights of the adversarial loss and of the critics' gradient penalty."""
CRITIC_STEPS = 5
"""Number of the critics' steps for each step of the generator."""
BETAS = (0.5, 0.9)
"""Betas of both Adams; their rate is `--lr`, 1e-4 in the paper preset as in Yu et al."""
LARGEST_LR = 3e-4
"""Largest learning rate. Without norms the network learns badly at the quick preset's 3e-3:
after 110 steps a validation gave 15 to 18 dB at 1e-3 and above, and 22 dB at this rate."""


class ContextualAttentionLearner(Learner):
    """The training with five steps of the critics on each batch, then one of the generator.

    The five steps see the same output. The generator changes once per batch, as in every other
    method, so that all have the same budget of images.
    """

    terms = ("critic", "penalty", "hole", "known", "adversarial", "total")

    def __init__(
        self, network: nn.Module, config: Config, accelerator: Accelerator, steps: int
    ) -> None:
        super().__init__(network, config, accelerator, steps)
        if not isinstance(network, TwoStages):
            raise TypeError(f"{type(network).__name__} has no coarse stage")
        initialise(network, self.seed, glorot)
        lr = min(config.training.lr, LARGEST_LR)
        if lr < config.training.lr:
            log.info(
                "contextual attention trains at the rate %g, not %g: it has no norms",
                lr,
                config.training.lr,
            )
        rate = adam(lr, BETAS)
        self.generator, self.optimizer = self.prepare(_Both(network), rate)
        critics = Critics(config.data.size, config.model.critic_width)
        initialise(critics, derive(self.seed, "critic"), glorot)
        self.critics, self.critics_optimizer = self.prepare(critics, rate)

    @classmethod
    def check(cls, config: Config, images: int) -> None:
        """Refuse sizes whose half is not a multiple of the local critic's strides, four of 2."""
        multiple_of(config, CRITICS_STRIDE, "contextual attention's critics")

    def step(self, holed: Tensor, mask: Tensor, target: Tensor, number: int) -> dict[str, Tensor]:
        """Update the critics five times and the generator once."""
        coarse, fine = self.generator(holed, mask)
        filled = composite(fine, target, mask)
        for turn in range(CRITIC_STEPS):
            draw = (number, turn, self.accelerator.process_index)
            terms = self._step_critics(target, filled.detach(), mask, draw)
        return terms | self._step_generator(target, coarse, fine, filled, mask)

    def _step_critics(
        self, target: Tensor, filled: Tensor, mask: Tensor, draw: tuple[int, int, int]
    ) -> dict[str, Tensor]:
        critics = self.critics.requires_grad_(True)  # `bare` froze them in the last step.
        real, fake = critics(target, mask), critics(filled, mask)
        stream = torch_rng(self.seed, "gradient penalty", *draw)
        mix = torch.rand(len(target), 1, 1, 1, generator=stream).to(target.device)
        points = losses.between(target, filled, mix)
        penalty = total(losses.slope_penalty(scores, points) for scores in critics(points, mask))
        # The scores [2,B] of both critics go into one mean; twice that is the sum of both losses.
        loss = 2 * losses.critic_loss(real, fake)
        self.descend(self.critics_optimizer, loss + PENALTY * penalty)
        return detached({"critic": loss, "penalty": penalty})

    def _step_generator(
        self, target: Tensor, coarse: Tensor, fine: Tensor, filled: Tensor, mask: Tensor
    ) -> dict[str, Tensor]:
        terms = {
            "hole": COARSE * mean_error(coarse, target, 1 - mask)
            + mean_error(fine, target, 1 - mask),
            "known": mean_error(coarse, target, mask) + mean_error(fine, target, mask),
        }
        with self.accelerator.autocast():
            # As above, twice the mean is the sum over both critics.
            terms["adversarial"] = 2 * losses.adversarial_loss(
                self.bare(self.critics)(filled, mask)
            )
        loss = terms["hole"] + terms["known"] + ADVERSARIAL * terms["adversarial"]
        self.descend(self.optimizer, loss)
        return detached(terms | {"total": loss})


class _Both(nn.Module):
    """The network with the pictures of both stages as its output, for training."""

    def __init__(self, network: TwoStages) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.both(image, mask)


def mean_error(output: Tensor, image: Tensor, where: Tensor) -> Tensor:
    """Return the mean of |output - image| over the pixels where `where` [B,1,H,W] is 1, not 0."""
    chosen = where.expand_as(image)
    return ((output - image).abs() * chosen).sum() / chosen.sum().clamp_min(1)
