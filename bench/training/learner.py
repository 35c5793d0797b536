"""The interface between the trainer and an objective."""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from bench.config import Config
from bench.core.seeds import torch_rng
from bench.networks.compiled import compiled
from bench.networks.layers import to_device

Result = TypeVar("Result")
MakeOptimizer = Callable[[Any], torch.optim.Optimizer]
"""Function from parameters, or groups of them, to their optimizer."""


COMPILABLE: set[Callable[..., Any]] = set()
"""All functions that `compilable` made."""


def compilable(method: Callable[..., Result]) -> Callable[..., Result]:
    """Make a method of a learner run under the training's autocast, compiled if the options say so.

    `--compile-step on` compiles it. It must be a function of its arguments, which are tensors, and
    of networks, and update nothing but the statistics of norms.
    """

    @functools.wraps(method)
    def call(self: Learner, *tensors: Tensor) -> Result:
        ready: Callable[..., Result] = method.__get__(self)
        if self.config.training.compile_step == "on":
            if method not in self.compiled:
                self.compiled[method] = compiled(ready, "--compile-step on")
            ready = self.compiled[method]
        with self.accelerator.autocast():
            return ready(*tensors)

    COMPILABLE.add(call)
    return call


class Learner(ABC):
    """The training of one network by one objective; the trainer calls its methods alone.

    Required:

    - `terms`: names of all scalars that `step` may return, in the order of the log's columns.
    - `step(holed, mask, target, number)`: make one update. Called once for each batch.

    Optional:

    - `__init__`: initialise the network, and `prepare` it and any critic with their optimizers.
      Called once, before a checkpoint is loaded.
    - `check(config, images)`: refuse settings. Called before anything is built.
    - `shown`: names of the terms in the progress bar.
    - `warning(row)`: report a training that goes wrong. Called for every row of the log.
    - methods marked `compilable`, which `--compile-step on` compiles.

    `steps` is the whole budget, for objectives with phases. A phase must depend on the number of
    the step alone, so that a resumed run continues as if it had never stopped. An example:

        class Distance(Learner):
            terms = ("hole",)

            def __init__(self, network, config, accelerator, steps):
                super().__init__(network, config, accelerator, steps)
                initialise(network, self.seed)
                self.generator, self.optimizer = self.prepare(network, adam(1e-4, (0.5, 0.9)))

            def step(self, holed, mask, target, number):
                error = ((self.generator(holed, mask) - target) * (1 - mask)).square().mean()
                self.descend(self.optimizer, error)
                return detached({"hole": error})
    """

    terms: tuple[str, ...]
    shown: tuple[str, ...] = ("total",)

    def __init__(
        self, network: nn.Module, config: Config, accelerator: Accelerator, steps: int
    ) -> None:
        self.network, self.config, self.accelerator = network, config, accelerator
        self.steps, self.seed = steps, config.training.seed
        self.compiled: dict[Callable[..., Any], Callable[..., Any]] = {}

    @classmethod
    def check(cls, config: Config, images: int) -> None:
        """Raise a `UserError` for settings that cannot work with `images` images per process."""
        return

    @classmethod
    def compiles(cls) -> bool:
        """Whether a part of the steps is compiled by `--compile-step on`."""
        return any(
            method in COMPILABLE for _, method in inspect.getmembers(cls, inspect.isfunction)
        )

    @abstractmethod
    def step(self, holed: Tensor, mask: Tensor, target: Tensor, number: int) -> dict[str, Tensor]:
        """Update the networks once, and return the detached terms, not yet multiplied by weights.

        `holed` [B,3,S,S] in [0,1] has black holes, `mask` [B,1,S,S] is 1 where known, and `target`
        [B,3,S,S] holds the true pixels. Only `holed` and `mask` may be given to the network that is
        trained. `number` counts the steps from 0 and seeds every draw.
        """

    def warning(self, row: Mapping[str, float]) -> str:
        """Return a warning if a row of the log shows a training that goes wrong, or nothing."""
        return ""

    def prepare(
        self, network: nn.Module, make: MakeOptimizer, parameters: Any = None
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Return the network, ready to train on its device and in all processes, and its optimizer.

        `make` makes the optimizer from `parameters`, which may be groups; by default these are all
        parameters of the network, in one group.
        """
        network = to_device(network, self.accelerator.device).train()
        # The optimizer comes after the move, since it must hold the parameters on their device.
        optimizer = make(network.parameters() if parameters is None else parameters)
        prepared: tuple[nn.Module, torch.optim.Optimizer] = self.accelerator.prepare(
            network, optimizer
        )
        return prepared

    def mix(self, image: Tensor, *draw: int) -> Tensor:
        """Draw the places of a gradient penalty between real and fake images, [B,1,1,1] in [0,1).

        `draw` names the draw, such as the number of the step. One stream serves the images of all
        processes, and each takes the numbers of its own: several processes draw what one would
        (`bench.data.batches` gives process `rank` every `world`-th image). The stream is on the
        CPU, so that every device gets the same numbers.
        """
        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        stream = torch_rng(self.seed, "gradient penalty", *draw)
        drawn = torch.rand(world * len(image), 1, 1, 1, generator=stream)[rank::world]
        if image.is_cuda:  # From pageable memory a copy waits for all work of the device.
            drawn = drawn.contiguous().pin_memory()
        return drawn.to(image.device, non_blocking=True)

    def bare(self, network: nn.Module) -> Any:
        """Return a prepared network without the sum of its gradients over processes.

        It is for the pass in which a critic teaches a generator and does not learn itself, and for
        other methods than `forward`.
        """
        return self.accelerator.unwrap_model(network)

    def descend(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        """Take one step of an optimizer down the gradient of `loss`."""
        optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        optimizer.step()


def adam(lr: float, betas: tuple[float, float]) -> MakeOptimizer:
    """Return a function that makes fused Adam optimizers."""
    return functools.partial(torch.optim.Adam, lr=lr, betas=betas, fused=True)


def total(terms: Iterable[Tensor]) -> Tensor:
    """Return the sum of scalars."""
    return torch.stack(list(terms)).sum()


def detached(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the terms without their graphs, for the log."""
    return {name: value.detach() for name, value in terms.items()}
