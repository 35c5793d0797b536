"""The objective of Global&Local, with its three phases."""

from __future__ import annotations

from functools import partial

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from baselines.global_local.network import DISCRIMINATOR_STRIDE, Completion, Discriminators
from bench.config import Config
from bench.core.seeds import derive
from bench.networks.holes import composite
from bench.networks.initialisation import initialise
from bench.networks.limits import multiple_of, several_images
from bench.training.learner import Learner, compilable, detached

ADVERSARIAL = 4e-4
"""Weight of the adversarial loss (Iizuka et al. 2017, equation 5)."""
ALONE, DISCRIMINATOR_ALONE = 90 / 500, 10 / 500
"""Shares of the budget for the first two phases. Published are 90,000 steps of the generator alone,
10,000 of the discriminators alone, then 400,000 of both."""
ADADELTA = partial(torch.optim.Adadelta, lr=1.0, rho=0.95, eps=1e-6)
"""Optimizer as published (Zeiler 2012). It sets its own rates, so `--lr` does not change it."""


class GlobalLocalLearner(Learner):
    """The training in three phases: generator alone, discriminators alone, then both.

    The generator alone minimises the squared error in the hole.
    """

    terms = ("hole", "discriminator", "adversarial", "total")

    def __init__(
        self, network: nn.Module, config: Config, accelerator: Accelerator, steps: int
    ) -> None:
        super().__init__(network, config, accelerator, steps)
        if not isinstance(network, Completion):
            raise TypeError(f"{type(network).__name__} has no training mean")
        self.completion = network
        initialise(network, self.seed)
        self.generator, self.optimizer = self.prepare(network, ADADELTA)
        judges = Discriminators(config.data.size, config.model.critic_width)
        initialise(judges, derive(self.seed, "critic"))
        self.discriminators, self.judges_optimizer = self.prepare(judges, ADADELTA)
        self.bare_judges = self.bare(self.discriminators)

    @classmethod
    def check(cls, config: Config, images: int) -> None:
        """Refuse sizes that the discriminators' six strides of 2 do not divide.

        Refuse also one image per process where their last features are 1x1.
        """
        multiple_of(config, DISCRIMINATOR_STRIDE, "Global&Local's discriminators")
        if config.data.size == DISCRIMINATOR_STRIDE:
            several_images(config, images, "the discriminators' last convolution")

    def step(self, holed: Tensor, mask: Tensor, target: Tensor, number: int) -> dict[str, Tensor]:
        """Update the networks that the phase of step `number` trains."""
        done = number / self.steps
        if done < ALONE:
            mean = self.accelerator.reduce(target.mean((0, 2, 3)), "mean")
            # The training mean is that of all images of the first phase, over all processes.
            self.completion.see(mean, self.config.training.batch_size)
            return self._step_generator(target, self._output(holed, mask), mask)
        if done < ALONE + DISCRIMINATOR_ALONE:
            with torch.no_grad():
                output = self._output(holed, mask)
            return self._step_discriminators(target, output, mask)
        output = self._output(holed, mask)
        terms = self._step_discriminators(target, output.detach(), mask)
        return terms | self._step_generator(target, output, mask, adversarial=True)

    def _step_discriminators(
        self, target: Tensor, output: Tensor, mask: Tensor
    ) -> dict[str, Tensor]:
        self.discriminators.requires_grad_(True)
        loss = self._judgement(target, output, mask)
        self.descend(self.judges_optimizer, loss)
        return {"discriminator": loss.detach()}

    def _step_generator(
        self, target: Tensor, output: Tensor, mask: Tensor, adversarial: bool = False
    ) -> dict[str, Tensor]:
        terms = {"hole": hole_error(output, target, mask)}
        loss = terms["hole"]
        if adversarial:
            self.discriminators.requires_grad_(False)
            terms["adversarial"] = self._displeasure(target, output, mask)
            loss = loss + ADVERSARIAL * terms["adversarial"]
        self.descend(self.optimizer, loss)
        return detached(terms | {"total": loss})

    @compilable
    def _output(self, holed: Tensor, mask: Tensor) -> Tensor:
        output: Tensor = self.generator(holed, mask)
        return output

    @compilable
    def _judgement(self, target: Tensor, output: Tensor, mask: Tensor) -> Tensor:
        """Compute the discriminators' loss on true and on filled images."""
        judges = self.discriminators
        filled = composite(output, target, mask)
        return _entropy(judges(target, mask), 1.0) + _entropy(judges(filled, mask), 0.0)

    @compilable
    def _displeasure(self, target: Tensor, output: Tensor, mask: Tensor) -> Tensor:
        """Compute the generator's loss by what the discriminators say of filled images."""
        return _entropy(self.bare_judges(composite(output, target, mask), mask), 1.0)


def hole_error(output: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Return the mean squared error over the pixels of the hole (equation 2 of their paper)."""
    hole = (1 - mask).expand_as(image)
    return ((output - image).square() * hole).sum() / hole.sum().clamp_min(1)


def _entropy(logits: Tensor, target: float) -> Tensor:
    """Return the mean cross entropy of logits and one target, in float32."""
    return binary_cross_entropy_with_logits(logits.float(), torch.full_like(logits.float(), target))
