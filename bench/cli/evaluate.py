"""Measure trained weights on other test pairs."""

from __future__ import annotations

import argparse

from bench.cli import methods, options
from bench.cli.arguments import Parser

EXAMPLES = """examples:
  python -m bench evaluate --run runs/forward-quick-seed0 --test-images folder:PHOTOS
  python -m bench evaluate --variant released --weights FILE --size 256 --resize 350

A run is measured on its own test pairs, unless an option asks for others: --test-images,
--test-masks, --pairs, --size and the like.
"""


def add_options(parser: Parser) -> None:
    """Add the weights and the parts of the config that concern a measurement."""
    parser.usage, parser.epilog = "%(prog)s (--run DIR | --weights FILE ...) [options]", EXAMPLES
    options.add_weights(parser)
    options.add_device(parser)
    options.add_config(parser, only=("data", "model", "evaluation"))


def execute(args: argparse.Namespace) -> int:
    """Measure the weights; print the table, and where plot and pictures are."""
    from bench.config import override
    from bench.evaluation.margins import margins
    from bench.presets import preset

    method, start, file = methods.weights(args, preset(args.preset))
    asked = options.given(args)
    config = override(start, asked | {"device": args.device})
    margins(config.evaluation.margins)
    from bench.core.device import tune_cpu

    tune_cpu()
    from bench.runs.experiment import evaluate_weights, own_pairs
    from bench.runs.run import Run
    from reports import build

    if args.run:
        config = override(config, own_pairs(Run(args.run), asked))
    folder = evaluate_weights(method, config, file, args.out, start if args.run else None)
    print(f"\n{build.run_report(folder)}")
    print(build.places(folder))
    return 0
