"""The objective of PConv, with total variation, no critic, and a fine-tuning with frozen norms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from baselines.pconv.network import PConvUNet
from baselines.pconv.objective import weights
from bench.config import Config
from bench.networks import vgg_features as perceptual
from bench.networks.holes import composite
from bench.networks.initialisation import he, initialise
from bench.networks.layers import to_device
from bench.training import losses
from bench.training.learner import Learner, adam, compilable, detached, total

BETAS = (0.9, 0.999)
"""Adam's defaults: the paper names no others."""
LR, FINE_TUNING_LR = 2.0, 0.5
"""Factors of `--lr` in training and in fine-tuning. Published are the rates 2e-4 and 5e-5; `--lr`
is 1e-4 in the paper preset, and scales all methods alike."""
FINE_TUNING = 1 / 11
"""Share of the budget for fine-tuning; theirs was one day after ten days of training."""


class PConvLearner(Learner):
    """The training of one network, whose encoder norms are frozen in the last part."""

    terms = ("valid", "hole", "variation", "perceptual", "style", "total")

    def __init__(
        self, network: nn.Module, config: Config, accelerator: Accelerator, steps: int
    ) -> None:
        super().__init__(network, config, accelerator, steps)
        if not isinstance(network, PConvUNet):
            raise TypeError(f"{type(network).__name__} has no encoder norms to freeze")
        self.unet, self.weights = network, weights(config)
        initialise(network, self.seed, he)  # Liu et al. did so.
        # The norms of the encoder are a group of their own, whose rate becomes 0 in fine-tuning.
        norms = list(network.encoder_norms.parameters())
        chosen = {id(p) for p in norms}
        rest = [p for p in network.parameters() if id(p) not in chosen]
        self.generator, self.optimizer = self.prepare(
            network, adam(config.training.lr, BETAS), [{"params": norms}, {"params": rest}]
        )
        self.features = to_device(
            perceptual.build(config.objective, config.evaluation.download), accelerator.device
        )

    def step(self, holed: Tensor, mask: Tensor, target: Tensor, number: int) -> dict[str, Tensor]:
        """Update the network once."""
        self._enter_phase(number >= self.steps * (1 - FINE_TUNING))
        terms = self._terms(holed, mask, target)
        loss = total(self.weights[name] * term for name, term in terms.items())
        self.descend(self.optimizer, loss)
        return detached(terms | {"total": loss})

    @compilable
    def _terms(self, holed: Tensor, mask: Tensor, target: Tensor) -> dict[str, Tensor]:
        output = self.generator(holed, mask)
        filled = composite(output, target, mask)
        error = (output - target).abs()
        return {
            "valid": (error * mask).mean(),
            "hole": (error * (1 - mask)).mean(),
            "variation": total_variation(filled, mask),
            **self._feature_terms(target, output, filled),
        }

    def _enter_phase(self, fine_tuning: bool) -> None:
        """Set the rates of both groups, and freeze or release the encoder's norms."""
        if self.unet.encoder_norms_frozen != fine_tuning:
            self.unet.freeze_encoder_norms(fine_tuning)
        lr = self.config.training.lr * (FINE_TUNING_LR if fine_tuning else LR)
        norms, rest = self.optimizer.param_groups
        norms["lr"], rest["lr"] = (0.0 if fine_tuning else lr), lr

    def _feature_terms(self, target: Tensor, output: Tensor, filled: Tensor) -> dict[str, Tensor]:
        """Compute the perceptual and the style loss.

        Both are sums over pool1-3, and over the raw output and the composite.
        """
        with torch.no_grad():
            targets = self.features(target)
        found = [self.features(x) for x in (output, filled)]
        return {
            "perceptual": total(losses.perceptual_loss(f, targets, "l1", "sum") for f in found),
            "style": total(losses.style_loss(f, targets, "sum") for f in found),
        }


def total_variation(image: Tensor, mask: Tensor) -> Tensor:
    """Return the L1 norm of differences of neighbours in and next to the hole, over all elements.

    The pairs of neighbours lie in the hole dilated by one pixel (equation 6 of their paper). The
    image is [B,3,H,W], the mask [B,1,H,W] with 1 = known.
    """
    region = F.max_pool2d(1 - mask, 3, stride=1, padding=1)
    down = (image[..., 1:, :] - image[..., :-1, :]).abs() * region[..., 1:, :] * region[..., :-1, :]
    right = (image[..., 1:] - image[..., :-1]).abs() * region[..., 1:] * region[..., :-1]
    return (down.sum() + right.sum()) / image.numel()
