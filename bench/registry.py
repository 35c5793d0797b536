"""Methods: what a method is, the kinds there are, and how they are found.

A method is defined by one call in a module that lies directly in `variants/` or `baselines/` (of a
folder there, in its `__init__.py`), or in a module that an installed package names by an entry
point of the group `lbam_bench.methods`, or in a file that `--plugin` names. Networks and learners
lie elsewhere and are named by references, `"package.module:attribute"`, so that listing the methods
imports no torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from bench.config import Config, Model, Objective, Training, flag_of, override
from bench.core.errors import UserError
from bench.core.references import Reference, resolve
from bench.core.registry import Registry
from bench.core.run_folder import NAME
from bench.networks import memory
from bench.presets import PRESETS, changes

if TYPE_CHECKING:
    from torch import nn

Family = Literal["variant", "baseline"]
COMMON_LEARNER = "bench.training.common:CommonLearner"
OBJECTIVE = frozenset(item.name for item in fields(Objective))
"""Options of the common objective, which a method with losses of its own ignores."""
ONLY_FOR_TRAINING = OBJECTIVE | {
    *(item.name for section in (Model, Training) for item in fields(section)),
    *("ratio", "validation_pairs"),
}
"""Options that change nothing for a method without training."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to fill holes: what all kinds of methods share.

    Required are `name`, `family`, `summary` and `network`; the rest is optional.

    `network` refers to a callable. `build(model)` calls it as `network(model, **arguments)`, and it
    returns a module whose `forward(image, mask)` takes an image [B,3,H,W] in [0,1] with its hole
    black and a mask [B,1,H,W], 1 = known, 0 = hole. It returns the raw output [B,3,H,W] in [0,1].
    The contract, which `python -m bench check NAME` tests:

    - No method sees the hole. The trainer and `bench.evaluation.fill.fill`, which run every
      method, blank it first. True pixels reach a learner as a separate target.
    - Height and width may be any number from 16 up; the output has the same.
    - The network leaves its inputs as they are.
    - In evaluation mode each image of a batch is filled as it would be alone, and the same input
      gives the same output.

    A baseline defines itself like this, in `baselines/flat/__init__.py`:

        register(
            TrainedNetwork(
                name="flat",
                family="baseline",
                summary="three convolutions",
                network="baselines.flat.network:Flat",
                parameters=lambda model: 27 * model.width,
            )
        )
    """

    name: str
    """Unique name, by which the command line and all reports know the method."""
    family: Family
    """Which table it belongs to: a `variant` of LBAM (Table 2), or a `baseline` (Table 1)."""
    summary: str
    """A few words for `python -m bench list`."""
    network: Reference
    """Callable that builds the network; see above."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of `network` after the model."""
    parameters: Callable[[Model], int] = lambda model: 0
    """Number of learnable parameters in closed form: `list` must not build networks."""
    differs: Mapping[str, Any] = field(default_factory=dict)
    """For a variant: the fields in which it differs from the paper's model."""
    bounded: bool = True
    """Whether outputs lie in [0,1]; others are clipped where they are measured."""
    only_named: bool = False
    """Whether commands run it only where it is named, and not with all of its family."""
    ignores: frozenset[str] = frozenset()
    """Options without effect on this method; whoever sets one is told so."""
    limits: Reference | None = None
    """Function `(config, images per process)` that raises a `UserError` for settings with which
    the network cannot work. It must not import torch. `check` calls it."""
    views: Reference | None = None
    """Function `(network, image, mask)` that returns maps [B,h,w] by name, for figures 7 and 8.
    The evaluator calls it for the first test pair of each bucket."""

    def build(self, model: Model) -> nn.Module:
        """Build the network; its weights are whatever its layers start with.

        One that is too large for this machine is a `UserError`, as are a reference to nothing and a
        `forward` that does not take an image and a mask.
        """
        memory.check_network(model, self.count(model))
        network: nn.Module = resolve(self.network)(model, **self.arguments)
        try:
            inspect.signature(network.forward).bind("image", "mask")
        except TypeError as error:
            raise UserError(
                f"the network of {self.name} cannot be called as forward(image, mask): {error}"
            ) from error
        return network

    def count(self, model: Model) -> int:
        """Return the number of learnable parameters; a `UserError` if `parameters` fails."""
        try:
            return int(self.parameters(model))
        except UserError:
            raise
        except Exception as error:  # a method's own code
            reason = f"{type(error).__name__}: {error}"
            raise UserError(f"the parameters of {self.name} cannot be counted: {reason}") from error

    def relevant(self, config: Config) -> Config:
        """Return the config with all options that the method ignores as the preset has them.

        For commands that run several methods: an option may concern only some of them.
        """
        usual = PRESETS.get(config.preset, Config(config.preset))
        ignored = {name: usual.value(name) for name in changes(config) if name in self.ignores}
        return override(config, ignored)

    def check(self, config: Config, processes: int = 1) -> None:
        """Raise a `UserError` for settings that the method cannot work with, or that it ignores.

        Called before anything is built, downloaded or replaced.
        """
        ignored = sorted(self.ignores & changes(config).keys())
        if ignored:
            options = ", ".join(map(flag_of, ignored))
            raise UserError(f"without effect on {self.name}: {options}; leave it out")
        if config.evaluation.compile == "on":
            _check_compiler("compile")
        if self.limits is not None:
            resolve(self.limits)(config, config.training.batch_size // processes)


def _check_compiler(option: str) -> None:
    from bench.networks.compiled import check_compiler  # here inside: it imports torch

    check_compiler(f"{flag_of(option)} on")


@dataclass(frozen=True, kw_only=True)
class Algorithm(Method):
    """A method that learns nothing: its `network` wraps an algorithm and has no weights."""

    ignores: frozenset[str] = ONLY_FOR_TRAINING | {"compile"}
    floor: bool = False
    """Whether it is so simple that every table shows it as the least that a method must beat."""


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork(Method):
    """A method whose network the suite trains, by the common objective unless it brings its own."""

    reference: bool = False
    """Whether this is the method that all others are compared with."""
    learner: Reference = COMMON_LEARNER
    """Subclass of `bench.training.learner.Learner`: the objective, its optimizers and phases."""
    objective: Mapping[str, Any] = field(default_factory=dict)
    """Options of `bench.config.Objective` that the method fixes: no adversarial loss, say."""
    departures: Callable[[Config], Mapping[str, float]] = lambda config: {}
    """Function that returns the weights of the method's own loss, by term, which a config makes
    other than published. A run's identity holds them as `departures`, for reports to tell."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ignores", self.ignores | self.objective.keys())

    def check(self, config: Config, processes: int = 1) -> None:
        """Raise a `UserError` also for settings with which the learner cannot work."""
        super().check(config, processes)
        share, rest = divmod(config.training.batch_size, processes)
        if rest or not share:
            raise UserError(
                f"--batch-size {config.training.batch_size} cannot be divided among {processes} "
                "processes; use a multiple"
            )
        trained, learner = override(config, self.objective), resolve(self.learner)
        learner.check(trained, share)
        if config.training.compile_step == "on":
            _check_compiler("compile_step")
            if processes > 1:
                raise UserError("--compile-step on works in one process alone; leave it out")
            if not learner.compiles():
                raise UserError(f"without effect on {self.name}: --compile-step; leave it out")
        common = self.learner == COMMON_LEARNER
        memory.check_training(trained, share, self.count(config.model), common, self.ignores)


@dataclass(frozen=True, kw_only=True)
class ImportedWeights(Method):
    """A method that is measured with weights from elsewhere and is never trained here."""

    load: Reference
    """Function that turns a state dict into a network that is ready to fill."""


@dataclass(frozen=True, kw_only=True)
class GivenOutputs(Algorithm):
    """A method that is known by its outputs alone, which lie in files; it is never registered."""

    network: Reference = "bench.evaluation.outputs:Outputs"
    files: Sequence[Path]
    """Output of each test pair, in order."""
    facts: Mapping[str, Any]
    """Digest of the files and what they were. A run's identity holds it as `outputs`."""

    def build(self, model: Model) -> nn.Module:
        """Return the outputs in the place of a network."""
        outputs: nn.Module = resolve(self.network)(self.files)
        return outputs


REGISTRY: Registry[Method] = Registry("method", ("variants", "baselines"), "lbam_bench.methods")


def register(method: Method) -> Method:
    """Add a method; a name that cannot name a folder, or no known family, is a `UserError`."""
    if not NAME.fullmatch(method.name):
        raise UserError(
            f"method name '{method.name}': use letters, digits, '.', '_' and '-', since it names "
            "folders of runs"
        )
    if method.family not in get_args(Family):
        raise UserError(
            f"method '{method.name}' is of the family '{method.family}'; use "
            f"{' or '.join(get_args(Family))}"
        )
    return REGISTRY.add(method.name, method)


def discover() -> dict[str, Method]:
    """Return all methods by name, in the order of their files and definitions."""
    return REGISTRY.all()


def find(name: str, family: Family | None = None) -> Method:
    """Return the method of that name (and family); an unknown name is a `UserError`."""
    everything = discover()
    methods = {m.name: m for m in everything.values() if family in (None, m.family)}
    if name in everything and name not in methods:
        other = everything[name].family
        raise UserError(f"'{name}' is a {other}, no {family}; use --{other} {name}")
    if name not in methods:
        raise REGISTRY.unknown(name, methods, family)
    return methods[name]


def reference() -> Method:
    """Return the method that all others are compared with: the paper's own."""
    for method in discover().values():
        if isinstance(method, TrainedNetwork) and method.reference:
            return method
    raise UserError("; ".join(["no method to compare with", *REGISTRY.problems]))


def floors() -> list[Method]:
    """Return the algorithms that every table shows as the least that a method must beat."""
    return [m for m in discover().values() if isinstance(m, Algorithm) and m.floor]
