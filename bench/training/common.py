"""One update of a generator and its critic by the paper's objective (equation 18)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from bench.config import Config
from bench.layers import composite, initialise, place
from bench.seeds import derive, torch_rng
from bench.training import losses, perceptual
from bench.training.critic import TwoColumnCritic


class Learner:
    """Networks, optimizers and the update. Every returned term is unweighted and detached."""

    def __init__(self, network: nn.Module, config: Config, accelerator: Accelerator) -> None:
        self.objective, self.seed, self.accelerator = (
            config.objective,
            config.training.seed,
            accelerator,
        )
        training = config.training
        initialise(network, self.seed)
        self.generator, self.optimizer = self._prepare(network, training.lr, training.betas)
        self.features = place(perceptual.build(self.objective), accelerator.device)
        self.critic = None
        if self.objective.adversarial:
            critic = TwoColumnCritic(
                config.data.size, config.model.critic_width, self.objective.critic_end
            )
            initialise(critic, derive(self.seed, "critic"))
            self.critic, self.critic_optimizer = self._prepare(
                critic, training.critic_lr, training.critic_betas
            )

    def _prepare(
        self, network: nn.Module, lr: float, betas: tuple[float, float]
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        network = place(network, self.accelerator.device).train()
        optimizer = torch.optim.Adam(network.parameters(), lr, betas, fused=True)
        prepared: tuple[nn.Module, torch.optim.Optimizer] = self.accelerator.prepare(
            network, optimizer
        )
        return prepared

    def step(self, image: Tensor, mask: Tensor, number: int) -> dict[str, Tensor]:
        """One update on images [B,3,S,S] in [0,1] and masks [B,1,S,S]; `number` seeds its draws."""
        output = self.generator(image, mask)
        terms: dict[str, Tensor] = {}
        if self.critic is not None:
            terms |= self._step_critic(self.critic, image, output.detach(), mask, number)
        return terms | self._step_generator(image, output, mask)

    def _step_critic(
        self, critic: nn.Module, image: Tensor, output: Tensor, mask: Tensor, number: int
    ) -> dict[str, Tensor]:
        critic.requires_grad_(True)
        real, fake = critic(image, mask), critic(output, mask)
        stream = torch_rng(self.seed, "gradient penalty", number, self.accelerator.process_index)
        mix = torch.rand(len(image), 1, 1, 1, generator=stream).to(image.device)
        penalty = losses.gradient_penalty(critic, image, output, mask, mix)
        loss = losses.critic_loss(real, fake)
        self._descend(self.critic_optimizer, loss + self.objective.gradient_penalty * penalty)
        terms = {"critic": loss, "penalty": penalty, "real": real.mean(), "fake": fake.mean()}
        return {name: value.detach() for name, value in terms.items()}

    def _step_generator(self, image: Tensor, output: Tensor, mask: Tensor) -> dict[str, Tensor]:
        terms = {"pixel": losses.pixel_loss(output, image, mask, self.objective.hole)}
        with self.accelerator.autocast():
            terms |= self._feature_terms(image, output, mask)
            if self.critic is not None:
                # The bare module: its parameters are frozen, so no process needs to sum gradients.
                critic = self.accelerator.unwrap_model(self.critic).requires_grad_(False)
                terms["adversarial"] = losses.adversarial_loss(critic(output, mask))
        total = _sum(getattr(self.objective, name) * term for name, term in terms.items())
        self._descend(self.optimizer, total)
        return {name: value.detach() for name, value in terms.items()} | {"total": total.detach()}

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
            "perceptual": _sum(losses.perceptual_loss(f, targets, distance) for f in found),
            "style": _sum(losses.style_loss(f, targets) for f in found),
        }

    def _descend(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        optimizer.step()


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()
