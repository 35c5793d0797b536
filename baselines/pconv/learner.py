"""PConv's own objective: no critic, total variation, and a fine-tuning with frozen norms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from baselines.pconv.network import PConvUNet
from bench.config import Config
from bench.networks import vgg_features as perceptual
from bench.networks.holes import composite
from bench.networks.initialisation import he, initialise
from bench.networks.layers import to_device
from bench.training import losses
from bench.training.learner import Learner, adam, detached, total

VALID, HOLE, VARIATION = 1.0, 6.0, 0.1
"""Weights of the terms on pixels (Liu et al. 2018, equation 7), beside `--pixel`, 1. LBAM took its
perceptual and style weights, 0.05 and 120, from there: they are those of `--perceptual` and
`--style`, which the quick preset lowers for its random features."""
LR, FINE_TUNING_LR = 2.0, 0.5
"""Their 2e-4 and 5e-5 over the 1e-4 of the paper preset: `--lr` scales all methods alike."""
FINE_TUNING = 1 / 11
"""Share of the budget: their ten days of training were followed by one of fine-tuning."""


class PConvLearner(Learner):
    """One network, one optimizer; in the last part the encoder's batch norm is frozen."""

    terms = ("valid", "hole", "variation", "perceptual", "style", "total")

    def __init__(
        self, network: nn.Module, config: Config, accelerator: Accelerator, steps: int
    ) -> None:
        super().__init__(network, config, accelerator, steps)
        if not isinstance(network, PConvUNet):
            raise TypeError(f"{type(network).__name__} has no encoder norms to freeze")
        objective = config.objective
        self.unet, self.weights = (
            network,
            {
                "valid": objective.pixel * VALID,
                "hole": objective.pixel * HOLE,
                "variation": objective.pixel * VARIATION,
                "perceptual": objective.perceptual,
                "style": objective.style,
            },
        )
        initialise(network, self.seed, he)  # as they did
        norms = list(network.encoder_norms.parameters())
        chosen = {id(p) for p in norms}
        rest = [p for p in network.parameters() if id(p) not in chosen]
        training = config.training
        self.generator, self.optimizer = self.prepare(
            network, adam(training.lr, training.betas), [{"params": norms}, {"params": rest}]
        )
        self.features = to_device(
            perceptual.build(config.objective, config.evaluation.download), accelerator.device
        )

    def step(self, holed: Tensor, mask: Tensor, target: Tensor, number: int) -> dict[str, Tensor]:
        """Update the network once."""
        self._enter_phase(number >= self.steps * (1 - FINE_TUNING))
        output = self.generator(holed, mask)
        filled = composite(output, target, mask)
        error = (output - target).abs()
        terms = {
            "valid": (error * mask).mean(),
            "hole": (error * (1 - mask)).mean(),
            "variation": total_variation(filled, mask),
        }
        with self.accelerator.autocast():
            terms |= self._feature_terms(target, output, filled)
        loss = total(self.weights[name] * term for name, term in terms.items())
        self.descend(self.optimizer, loss)
        return detached(terms | {"total": loss})

    def _enter_phase(self, fine_tuning: bool) -> None:
        if self.unet.encoder_norms_frozen != fine_tuning:
            self.unet.freeze_encoder_norms(fine_tuning)
        lr = self.config.training.lr * (FINE_TUNING_LR if fine_tuning else LR)
        norms, rest = self.optimizer.param_groups
        norms["lr"], rest["lr"] = (0.0 if fine_tuning else lr), lr

    def _feature_terms(self, target: Tensor, output: Tensor, filled: Tensor) -> dict[str, Tensor]:
        """Both sums are over pool1-3 and over the raw output and the composite."""
        with torch.no_grad():
            targets = self.features(target)
        found = [self.features(x) for x in (output, filled)]
        layers = len(targets)  # the bench's losses are means over layers
        return {
            "perceptual": layers * total(losses.perceptual_loss(f, targets, "l1") for f in found),
            "style": layers * total(losses.style_loss(f, targets) for f in found),
        }


def total_variation(image: Tensor, mask: Tensor) -> Tensor:
    """L1 of neighbours' differences within the hole dilated by one pixel, over all elements.

    image [B,3,H,W]; mask [B,1,H,W], 1 = known (equation 6 there).
    """
    region = F.max_pool2d(1 - mask, 3, stride=1, padding=1)
    down = (image[..., 1:, :] - image[..., :-1, :]).abs() * region[..., 1:, :] * region[..., :-1, :]
    right = (image[..., 1:] - image[..., :-1]).abs() * region[..., 1:] * region[..., :-1]
    return (down.sum() + right.sum()) / image.numel()
