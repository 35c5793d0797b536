"""What every way of training shares: networks with their optimizers, and one update at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from bench.config import Config
from bench.networks.layers import place

MakeOptimizer = Callable[[Any], torch.optim.Optimizer]
"""Parameters, or groups of them, to their optimizer."""


class Learner(ABC):
    """Trains one network by one objective; the trainer only calls `step`, and knows no more.

    `steps` is the whole budget, for objectives that have phases. A phase must follow from the
    number of the step alone, so that a resumed run goes on as if it had never stopped.
    """

    terms: tuple[str, ...]
    """The names `step` may return, in the order of the log's columns."""

    def __init__(
        self, network: nn.Module, config: Config, accelerator: Accelerator, steps: int
    ) -> None:
        self.network, self.config, self.accelerator, self.steps = (
            network,
            config,
            accelerator,
            steps,
        )
        self.seed = config.training.seed

    @abstractmethod
    def step(self, image: Tensor, mask: Tensor, number: int) -> dict[str, Tensor]:
        """One update on images [B,3,S,S] in [0,1] and masks [B,1,S,S]; `number` seeds its draws.

        Every returned term is a detached scalar, before its weight.
        """

    def warning(self, row: Mapping[str, float]) -> str:
        """What a row of the log tells of a training that goes wrong, or nothing."""
        return ""

    def prepare(
        self, network: nn.Module, make: MakeOptimizer, parameters: Any = None
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """The network in training, on its device and for all processes, and its optimizer.

        `parameters` are optimizer groups; by default, all of the network's in one.
        """
        network = place(network, self.accelerator.device).train()
        optimizer = make(network.parameters() if parameters is None else parameters)
        prepared: tuple[nn.Module, torch.optim.Optimizer] = self.accelerator.prepare(
            network, optimizer
        )
        return prepared

    def bare(self, network: nn.Module) -> nn.Module:
        """A prepared network, frozen and without what sums gradients over processes.

        For the pass in which a critic teaches a generator and must not learn itself.
        """
        inner: nn.Module = self.accelerator.unwrap_model(network)
        return inner.requires_grad_(False)

    def descend(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        """One step of an optimizer down the gradient of `loss`."""
        optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        optimizer.step()


def adam(lr: float, betas: tuple[float, float]) -> MakeOptimizer:
    """Adam, fused."""
    return partial(torch.optim.Adam, lr=lr, betas=betas, fused=True)


def total(terms: Iterable[Tensor]) -> Tensor:
    """Sum of scalars."""
    return torch.stack(list(terms)).sum()


def detached(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The terms without their graphs, for the log."""
    return {name: value.detach() for name, value in terms.items()}
