"""The common objective: one update of a generator and its critic by equation 18 of the paper."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from bench.config import Config
from bench.core.seeds import derive
from bench.networks import vgg_features as perceptual
from bench.networks.holes import composite
from bench.networks.initialisation import initialise
from bench.networks.layers import to_device
from bench.networks.limits import multiple_of, several_images
from bench.training import losses
from bench.training.critic import LAYERS as CRITIC_LAYERS
from bench.training.critic import TwoColumnCritic
from bench.training.learner import Learner, adam, compilable, detached, total

SATURATED = 0.01
"""Distance of a mean score from 0 or 1 below which the critic's sigmoid has almost no slope."""


class CommonLearner(Learner):
    """The paper's objective (equation 18), which trains every method without one of its own."""

    def __init__(
        self, network: nn.Module, config: Config, accelerator: Accelerator, steps: int
    ) -> None:
        super().__init__(network, config, accelerator, steps)
        self.objective, training = config.objective, config.training
        initialise(network, self.seed)
        self.generator, self.optimizer = self.prepare(network, adam(training.lr, training.betas))
        self.features = to_device(
            perceptual.build(self.objective, config.evaluation.download, self.objective.normalise),
            accelerator.device,
        )
        self.terms = ("pixel", "perceptual", "style", "total")
        self.critic = None
        if self.objective.adversarial:
            critic = TwoColumnCritic(
                config.data.size, config.model.critic_width, self.objective.critic_end
            )
            initialise(critic, derive(self.seed, "critic"))
            self.critic, self.critic_optimizer = self.prepare(
                critic, adam(training.critic_lr, training.critic_betas)
            )
            self.bare_critic = self.bare(self.critic)
            self.shown = ("total", "critic")
            self.terms = ("critic", "penalty", "real", "fake", *self.terms[:3], "adversarial",
                          "total")  # fmt: skip

    @classmethod
    def check(cls, config: Config, images: int) -> None:
        """Refuse sizes that the critic's strides of 2 do not divide, if there is a critic."""
        if config.objective.adversarial:
            multiple_of(
                config,
                2**CRITIC_LAYERS,
                f"the critic's {CRITIC_LAYERS} strides of 2 (--adversarial 0 trains no critic)",
            )
            if config.data.size == 2**CRITIC_LAYERS:
                several_images(config, images, "the critic's last layer")

    def step(self, holed: Tensor, mask: Tensor, target: Tensor, number: int) -> dict[str, Tensor]:
        """Update the critic once, where there is one, and the generator once."""
        output = self.output(holed, mask)
        terms: dict[str, Tensor] = {}
        if self.critic is not None:
            terms |= self.step_critic(self.critic, target, output.detach(), mask, number)
        return terms | self.step_generator(target, output, mask)

    def warning(self, row: Mapping[str, float]) -> str:
        """Return a warning where the critic's sigmoid is saturated, or nothing."""
        if self.critic is None or self.objective.critic_end != "sigmoid":
            return ""
        if all(min(row[name], 1 - row[name]) < SATURATED for name in ("real", "fake")):
            return (
                f"the critic is saturated (scores {row['real']:.3f} real, {row['fake']:.3f} fake): "
                "the generator learns nothing from it; --critic-end linear avoids this"
            )
        return ""

    def step_critic(
        self, critic: nn.Module, image: Tensor, output: Tensor, mask: Tensor, number: int
    ) -> dict[str, Tensor]:
        """Update the critic on true images and on outputs of the generator; both are [B,3,S,S].

        `number` is the number of the step, which seeds the points of the gradient penalty.
        """
        critic.requires_grad_(True)
        terms = self.critic_terms(image, output, mask, self.mix(image, number))
        loss = terms["critic"] + self.objective.gradient_penalty * terms["penalty"]
        self.descend(self.critic_optimizer, loss)
        return detached(terms)

    def step_generator(self, image: Tensor, output: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Update the generator, given its output [B,3,S,S] with the graph of its gradients."""
        if self.critic is not None:
            self.critic.requires_grad_(False)
        terms = self.generator_terms(image, output, mask)
        loss = total(getattr(self.objective, name) * term for name, term in terms.items())
        self.descend(self.optimizer, loss)
        return detached(terms | {"total": loss})

    @compilable
    def output(self, holed: Tensor, mask: Tensor) -> Tensor:
        """Return the generator's raw output [B,3,S,S]."""
        output: Tensor = self.generator(holed, mask)
        return output

    @compilable
    def critic_terms(
        self, image: Tensor, output: Tensor, mask: Tensor, mix: Tensor
    ) -> dict[str, Tensor]:
        """Compute the critic's loss and its gradient penalty, and its mean scores."""
        assert self.critic is not None
        real, fake = self.critic(image, mask), self.critic(output, mask)
        points = losses.between(image, output, mix)
        # Its gradients are summed over processes as well: that hangs on the parameters.
        slopes = self.bare_critic.slopes(points, mask)
        return {
            "critic": losses.critic_loss(real, fake),
            "penalty": losses.slope_penalty(slopes),
            "real": real.mean(),
            "fake": fake.mean(),
        }

    @compilable
    def generator_terms(self, image: Tensor, output: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Compute the terms of the generator's loss, by their names in the objective."""
        terms = {"pixel": losses.pixel_loss(output, image, mask, self.objective.hole)}
        terms |= self.feature_terms(image, output, mask)
        if self.critic is not None:
            terms["adversarial"] = losses.adversarial_loss(self.bare_critic(output, mask))
        return terms

    def feature_terms(self, image: Tensor, output: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Compute the perceptual and the style loss; gradients flow through the output alone.

        Each is a sum over the raw output and, if `features_of` says so, the composite.
        """
        with torch.no_grad():
            targets = self.features(image)
        compared = [output]
        if self.objective.features_of == "raw+composite":
            compared.append(composite(output, image, mask))
        found = [self.features(x) for x in compared]
        distance, over = self.objective.perceptual_distance, self.objective.over_layers
        return {
            "perceptual": total(losses.perceptual_loss(f, targets, distance, over) for f in found),
            "style": total(losses.style_loss(f, targets, over) for f in found),
        }
