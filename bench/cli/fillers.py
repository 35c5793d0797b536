"""The methods that fill a user's pictures, each with its network and a name for its results."""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from bench.cli import methods, options
from bench.cli.arguments import Parser
from bench.config import Config, override
from bench.core.errors import UserError
from bench.presets import changes, preset
from bench.registry import Algorithm, Family, Method

if TYPE_CHECKING:
    from torch import nn

    from bench.evaluation.picture import Filler
    from bench.inpainting.jobs import Job

log = logging.getLogger(__name__)
FULL, BUDGET = "paper", frozenset({"steps", "epochs"})
"""Preset of a training of full length, and the options that would shorten it."""
MANY = 1000
"""Pictures of one size from which on compiling takes less time than it saves: 40 s, and of a
picture of 256 pixels a side 26 ms in fp32, and 70 in bf16."""


class Source(NamedTuple):
    """A method that fills pictures, and where its weights are."""

    name: str
    """Name of its results: the method's, or its run's where several have that method."""
    method: Method
    config: Config
    file: Path | None
    """Weights; an algorithm has none."""

    def network(self) -> nn.Module:
        """Return the network with its weights."""
        from bench.runs.experiment import load_network

        if self.file is None:
            return self.method.build(self.config.model)
        return load_network(self.method, self.config, self.file)

    def facts(self) -> dict[str, Any]:
        """Return what tells its results from those of other methods and weights."""
        from bench.networks.weights import file_hash

        return {"method": self.method.name, "weights": self.file and file_hash(self.file)}


def add_options(parser: Parser) -> None:
    """Add the options that name the methods, and the weights of one."""
    options.add_methods(parser)
    parser.add_argument(
        "--weights",
        type=Path,
        help="weights file (safetensors or torch) of the one method that needs it; with --run: of "
        "one of its checkpoints",
    )


def chosen(args: argparse.Namespace) -> list[Source]:
    """Return the methods of --run, --variant and --baseline, in this order.

    Nothing is loaded yet. Results that would have one name are a `UserError`.
    """
    start = override(preset(args.preset or FULL), options.given(args))
    found = [_source(one, start) for one in _each_alone(args)]
    number = Counter(source.method.name for source, _ in found)
    sources = [
        source if number[source.name] == 1 else source._replace(name=other)
        for source, other in found
    ]
    for name, count in Counter(source.name for source in sources).items():
        if count > 1:
            raise UserError(f"{name} is given {count} times; its results would have one name")
    return sources


def _each_alone(args: argparse.Namespace) -> list[argparse.Namespace]:
    """Return the options for each method, as a command of one method has them."""
    alone = {"run": None, **dict.fromkeys(get_args(Family)), "weights": None}
    words = [("run", run) for run in args.run]
    words += [(family, name) for family in get_args(Family) for name in getattr(args, family)]
    every = [
        argparse.Namespace(**(vars(args) | alone | {option: value}))
        for option, value in words or [("weights", args.weights)]
    ]
    needy = [one for one in every if not isinstance(methods.chosen(one), Algorithm)]
    if args.weights:
        if len(needy) != 1:
            raise UserError(
                f"--weights {args.weights}: it is for one method, and {len(needy)} of those given "
                "need weights"
            )
        needy[0].weights = args.weights
    return every


def _source(args: argparse.Namespace, start: Config) -> tuple[Source, str]:
    """Return the method of options for one, and the name of its results if others have its own."""
    method = methods.chosen(args)
    if isinstance(method, Algorithm):
        return Source(method.name, method, start, None), method.name
    method, config, file = methods.weights(args, start)
    other = args.run.resolve().name if args.run else file.stem
    if isinstance(method, Algorithm):
        if args.weights:
            raise UserError(f"--weights has no effect on {args.run}, a run of an algorithm")
        return Source(method.name, method, config, None), other
    if args.run:
        warn_if_short(args.run, config)
    return Source(method.name, method, config, file), other


def warn_if_short(run: Path, config: Config) -> None:
    """Warn of a run whose training was shorter than the paper's."""
    training, data = config.training, config.data
    if config.preset != FULL or BUDGET & changes(config).keys():
        budget = f"{training.steps} steps" if training.steps else f"{training.epochs} epochs"
        log.warning(
            "%s: trained with the preset %s for %s at %d px, width %d; its pictures say little "
            "about the method",
            run, config.preset, budget, data.size, config.model.width,
        )  # fmt: skip


def compile_for(filler: Filler, jobs: Sequence[Job], wanted: str) -> None:
    """Compile a network for the usual size of the pictures, if that is wanted.

    `auto` compiles for `MANY` pictures or more, and goes on without where that fails.
    """
    from bench.inpainting.jobs import usual_size

    if wanted == "off" or (wanted == "auto" and len(jobs) < MANY) or not filler.has_weights:
        return
    (height, width), number = usual_size(jobs)
    if wanted == "on" and number == 0:
        raise UserError("--compile on: no picture is small enough to be filled as a whole")
    if wanted == "on" or number >= MANY:
        try:
            filler.compile(height, width)
        except UserError as error:
            if wanted == "on":
                raise
            log.warning("going on without compiled weights: %s", error)
