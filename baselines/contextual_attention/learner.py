"""The objective of contextual attention: L1 of both stages, a global and a local WGAN-GP."""

from __future__ import annotations

import logging

from accelerate import Accelerator
from torch import Tensor, nn

from baselines.contextual_attention.network import CRITICS_STRIDE, Critics, TwoStages
from bench.config import Config
from bench.core.seeds import derive
from bench.networks.holes import composite
from bench.networks.initialisation import glorot, initialise
from bench.networks.limits import multiple_of
from bench.training import losses
from bench.training.learner import Learner, adam, compilable, detached, total

log = logging.getLogger(__name__)
COARSE = 1.2
"""Weight of the errors after the coarse stage; after the refined stage it is 1."""
L1, ADVERSARIAL, PENALTY = 1.2, 0.001, 10.0
"""Weights of both L1 terms, of the adversarial loss and of the critics' gradient penalty."""
TINY = 1e-9
"""Share of pixels that keeps a mean finite where there are none."""
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
        self.bare_critics = self.bare(self.critics)

    @classmethod
    def check(cls, config: Config, images: int) -> None:
        """Refuse sizes whose half is not a multiple of the local critic's strides, four of 2."""
        multiple_of(config, CRITICS_STRIDE, "contextual attention's critics")

    def step(self, holed: Tensor, mask: Tensor, target: Tensor, number: int) -> dict[str, Tensor]:
        """Update the critics five times and the generator once."""
        coarse, fine = self._outputs(holed, mask)
        # The published objective is about images in [-1, 1].
        target, coarse, fine = (2 * x - 1 for x in (target, coarse, fine))
        filled = composite(fine, target, mask)
        for turn in range(CRITIC_STEPS):
            mix = self.mix(target, number, turn)
            terms = self._step_critics(target, filled.detach(), mask, mix)
        return terms | self._step_generator(target, (coarse, fine), filled, mask)

    def _step_critics(
        self, target: Tensor, filled: Tensor, mask: Tensor, mix: Tensor
    ) -> dict[str, Tensor]:
        self.critics.requires_grad_(True)
        terms = self._critic_terms(target, filled, mask, mix)
        self.descend(self.critics_optimizer, terms["critic"] + PENALTY * terms["penalty"])
        return detached(terms)

    def _step_generator(
        self, target: Tensor, stages: tuple[Tensor, Tensor], filled: Tensor, mask: Tensor
    ) -> dict[str, Tensor]:
        self.critics.requires_grad_(False)
        # The pixels are those of all processes: a mean over each process's own, averaged, would
        # depend on how many processes there are.
        known: Tensor = self.accelerator.reduce(mask.mean(), "mean")
        terms = self._generator_terms(target, *stages, filled, mask, known)
        loss = L1 * (terms["hole"] + terms["known"]) + ADVERSARIAL * terms["adversarial"]
        self.descend(self.optimizer, loss)
        return detached(terms | {"total": loss})

    @compilable
    def _outputs(self, holed: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        coarse, fine = self.generator(holed, mask)
        return coarse, fine

    @compilable
    def _critic_terms(
        self, target: Tensor, filled: Tensor, mask: Tensor, mix: Tensor
    ) -> dict[str, Tensor]:
        real, fake = self.critics(target, mask), self.critics(filled, mask)
        # As published, slopes count in the hole alone: all else is equal in both images.
        slopes = self.bare_critics.slopes(losses.between(target, filled, mix), mask)
        return {
            # The scores [2,B] of both critics go into one mean; twice that is the sum of both.
            "critic": 2 * losses.critic_loss(real, fake),
            "penalty": total(losses.slope_penalty(s) for s in slopes),
        }

    @compilable
    def _generator_terms(
        self, target: Tensor, coarse: Tensor, fine: Tensor, filled: Tensor, mask: Tensor,
        known: Tensor,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Compute the generator's terms; `known` is the share of known pixels in all masks."""
        error = COARSE * (coarse - target).abs() + (fine - target).abs()
        return {
            "hole": (error * (1 - mask)).mean() / (1 - known).clamp_min(TINY),
            "known": (error * mask).mean() / known.clamp_min(TINY),
            # As above, twice the mean is the sum over both critics.
            "adversarial": 2 * losses.adversarial_loss(self.bare_critics(filled, mask)),
        }


class _Both(nn.Module):
    """The network with the pictures of both stages as its output, for training."""

    def __init__(self, network: TwoStages) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.both(image, mask)
