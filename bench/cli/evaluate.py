"""Measure trained weights on other test pairs, or outputs that another program made."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli import methods, options
from bench.cli.arguments import Parser
from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.core.run_folder import RunFolder

EXAMPLES = """examples:
  python -m bench evaluate --run runs/forward-quick-seed0 --test-images folder:PHOTOS
  python -m bench evaluate --variant released --weights FILE --size 256 --resize 350
  python -m bench evaluate --outputs FOLDER --name lama --manifest pairs/pairs.json

A run is measured on its own test pairs, unless an option asks for others: --test-images,
--test-masks, --pairs, --size and the like.
"""
OF_OUTPUTS, OF_WEIGHTS = ("name", "lossy", "redo"), ("run", "variant", "baseline", "weights")
"""Options that concern --outputs alone, and those that cannot go with it."""


def add_options(parser: Parser) -> None:
    """Add the weights or outputs, and the parts of the config that concern a measurement."""
    parser.usage = "%(prog)s (--run DIR | --weights FILE ... | --outputs DIR --name NAME) [options]"
    parser.epilog = EXAMPLES
    options.add_weights(parser)
    parser.add_argument(
        "--outputs",
        type=Path,
        metavar="DIR",
        help="folder of filled test pairs, named as `pairs export` names them",
    )
    parser.add_argument("--name", help="with --outputs: name of their method in all reports")
    parser.add_argument("--lossy", action="store_true", help="with --outputs: take JPEG as well")
    parser.add_argument("--redo", action="store_true", help="with --outputs: replace earlier ones")
    options.add_device(parser)
    options.add_config(parser, only=("data", "model", "evaluation"))
    parser.first = (*options.FIRST, "--outputs", "--name", "--lossy", "--manifest")


def execute(args: argparse.Namespace) -> int:
    """Measure; print the table, and where plot and pictures are."""
    folder = _weights(args) if args.outputs is None else _outputs(args)
    from reports import build

    print(f"\n{build.run_report(folder)}")
    print(build.places(folder))
    return 0


def _weights(args: argparse.Namespace) -> RunFolder:
    """Measure trained weights, and return the folder of the results."""
    from bench.config import override
    from bench.evaluation.margins import margins
    from bench.presets import preset

    for name in OF_OUTPUTS:
        if getattr(args, name):
            raise UserError(f"--{name} has no effect without --outputs; leave it out")
    method, start, file = methods.weights(args, preset(args.preset))
    asked = options.given(args)
    config = override(start, asked | {"device": args.device})
    margins(config.evaluation.margins)
    from bench.core.device import tune_cpu

    tune_cpu()
    from bench.runs.experiment import evaluate_weights, own_pairs
    from bench.runs.run import Run

    if args.run:
        config = override(config, own_pairs(Run(args.run), asked))
    return evaluate_weights(method, config, file, args.out, start if args.run else None)


def _outputs(args: argparse.Namespace) -> RunFolder:
    """Measure the pictures of a folder, and return their run."""
    from bench.config import override

    for name in OF_WEIGHTS:
        if getattr(args, name) is not None:
            raise UserError(f"--outputs and --{name}: give only one of them")
    if args.name is None:
        raise UserError("--outputs needs --name: how reports are to call the method that made them")
    config = override(options.config(args), {"device": args.device})
    from bench.core.device import tune_cpu

    tune_cpu()
    from bench.runs import outputs

    return outputs.evaluate(args.outputs, args.name, config, args.out, args.lossy, args.redo)
