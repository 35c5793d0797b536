"""The method under test, at a size that makes every check fast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.config import Config, override
from bench.core import device
from bench.core.references import resolve
from bench.core.seeds import torch_rng
from bench.networks.initialisation import initialise
from bench.networks.layers import to_device
from bench.presets import preset
from bench.registry import Algorithm, ImportedWeights, Method, TrainedNetwork
from bench.training.learner import Learner
from bench.training.processes import make_accelerator

SMALL = {
    "size": 64, "resize": 64, "width": 8, "depth": 4, "critic_width": 4, "batch_size": 2,
    "steps": 1000, "precision": "fp32",
}  # fmt: skip
"""Options that make the quick preset small. 64 pixels are the least that the critic works with."""


@dataclass(frozen=True)
class Subject:
    """One method, with the networks and the learner that the checks need."""

    method: Method

    @cached_property
    def config(self) -> Config:
        """The config: the quick preset at a tiny size, as far as its options concern the method."""
        return self.method.relevant(override(preset("quick"), SMALL))

    @property
    def algorithm(self) -> bool:
        """Whether the method learns nothing."""
        return isinstance(self.method, Algorithm)

    @cached_property
    def network(self) -> nn.Module:
        """A network in evaluation mode, with reproducible weights."""
        return self.new_network().eval()

    def new_network(self) -> nn.Module:
        """Build a network on the device and draw its weights with a fixed seed."""
        network = self.method.build(self.config.model)
        initialise(network, 0)
        return to_device(network, device.choose("auto"))

    def learner(self) -> Learner:
        """Build the method's learner; the method must be one that the suite trains."""
        assert isinstance(self.method, TrainedNetwork)
        config = override(self.config, self.method.objective)
        network, steps = self.method.build(config.model), config.training.steps
        learner: Learner = resolve(self.method.learner)(
            network, config, make_accelerator(config, "fp32"), steps
        )
        return learner

    def why_not_trained(self) -> str:
        """Return the reason why there is no training to check, or nothing."""
        if self.algorithm:
            return "an algorithm learns nothing"
        imported = isinstance(self.method, ImportedWeights)
        return "its weights come from elsewhere" if imported else ""


def images_and_masks(count: int, height: int = 64, width: int = 64) -> tuple[Tensor, Tensor]:
    """Draw smooth images [B,3,H,W] in [0,1] and masks [B,1,H,W], 1 = known, with different holes.

    Each depends on its place in the batch alone, so that the first of two is the first of one. They
    lie on the device where there is one, as the images of an evaluation do.
    """
    images, masks = [], []
    for number in range(count):
        coarse = torch.rand(1, 3, 4, 4, generator=torch_rng(0, "check", number))
        images.append(F.interpolate(coarse, size=(height, width), mode="bilinear"))
        mask = torch.ones(1, 1, height, width)
        top, left = height // 4 + number, width // 3 - number
        mask[..., top : top + height // 3, left : left + width // 2] = 0
        masks.append(mask)
    where = device.choose("auto")
    return torch.cat(images).to(where), torch.cat(masks).to(where)


class ContractError(Exception):
    """A breach of the contract by a method; the text says how it is broken and where to look."""


Check = Callable[[Subject], str | None]
"""Function that returns None for a pass or a reason to skip, or raises a `ContractError`."""
