"""The common objective: one update of a generator and its critic by equation 18 of the paper."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from bench.config import Config
from bench.core.seeds import derive, torch_rng
from bench.networks import vgg_features as perceptual
from bench.networks.layers import composite, initialise, place
from bench.training import losses
from bench.training.critic import TwoColumnCritic
from bench.training.learner import Learner, adam, detached, total

SATURATED = 0.01
"""Distance from 0 or 1 at which a sigmoid's slope is gone."""


class CommonLearner(Learner):
    """The paper's objective; every method is trained by it that has none of its own."""

    def __init__(
        self, network: nn.Module, config: Config, accelerator: Accelerator, steps: int
    ) -> None:
        super().__init__(network, config, accelerator, steps)
        self.objective, training = config.objective, config.training
        initialise(network, self.seed)
        self.generator, self.optimizer = self.prepare(network, adam(training.lr, training.betas))
        self.features = place(perceptual.build(self.objective), accelerator.device)
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
            self.terms = ("critic", "penalty", "real", "fake", *self.terms[:3], "adversarial",
                          "total")  # fmt: skip

    def step(self, image: Tensor, mask: Tensor, number: int) -> dict[str, Tensor]:
        """One update of the critic, where there is one, and one of the generator."""
        output = self.generator(image, mask)
        terms: dict[str, Tensor] = {}
        if self.critic is not None:
            terms |= self._step_critic(self.critic, image, output.detach(), mask, number)
        return terms | self._step_generator(image, output, mask)

    def warning(self, row: Mapping[str, float]) -> str:
        """Says so when the critic's sigmoid is saturated."""
        if self.critic is None or self.objective.critic_end != "sigmoid":
            return ""
        if all(min(row[name], 1 - row[name]) < SATURATED for name in ("real", "fake")):
            return (
                f"the critic is saturated (scores {row['real']:.3f} real, {row['fake']:.3f} fake): "
                "the adversarial loss teaches nothing; --critic-end linear avoids it"
            )
        return ""

    def _step_critic(
        self, critic: nn.Module, image: Tensor, output: Tensor, mask: Tensor, number: int
    ) -> dict[str, Tensor]:
        critic.requires_grad_(True)
        real, fake = critic(image, mask), critic(output, mask)
        stream = torch_rng(self.seed, "gradient penalty", number, self.accelerator.process_index)
        mix = torch.rand(len(image), 1, 1, 1, generator=stream).to(image.device)
        penalty = losses.gradient_penalty(critic, image, output, mask, mix)
        loss = losses.critic_loss(real, fake)
        self.descend(self.critic_optimizer, loss + self.objective.gradient_penalty * penalty)
        return detached(
            {"critic": loss, "penalty": penalty, "real": real.mean(), "fake": fake.mean()}
        )

    def _step_generator(self, image: Tensor, output: Tensor, mask: Tensor) -> dict[str, Tensor]:
        terms = {"pixel": losses.pixel_loss(output, image, mask, self.objective.hole)}
        with self.accelerator.autocast():
            terms |= self._feature_terms(image, output, mask)
            if self.critic is not None:
                terms["adversarial"] = losses.adversarial_loss(self.bare(self.critic)(output, mask))
        loss = total(getattr(self.objective, name) * term for name, term in terms.items())
        self.descend(self.optimizer, loss)
        return detached(terms | {"total": loss})

    def _feature_terms(self, image: Tensor, output: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Perceptual and style loss; the targets' features carry no graph."""
        with torch.no_grad():
            targets = self.features(image)
        looked_at = [output]
        if self.objective.features_of == "raw+composite":
            looked_at.append(composite(output, image, mask))
        found = [self.features(x) for x in looked_at]
        distance = self.objective.perceptual_distance
        return {
            "perceptual": total(losses.perceptual_loss(f, targets, distance) for f in found),
            "style": total(losses.style_loss(f, targets) for f in found),
        }
