"""Train and measure one method."""

from __future__ import annotations

import argparse

from bench.cli import methods, options
from bench.cli.arguments import Parser
from bench.core.rank import is_first

EXAMPLES = """examples:
  python -m bench run --variant forward
  python -m bench run --baseline patchmatch --images folder:PHOTOS
  python -m bench run --variant full --preset small --data-root DATA --seed 1

A finished run is skipped, and a run that was interrupted continues from its last checkpoint.
"""


def add_options(parser: Parser) -> None:
    """Add the method and the whole config."""
    parser.usage, parser.epilog = "%(prog)s (--variant NAME | --baseline NAME) [options]", EXAMPLES
    options.add_method(parser.add_mutually_exclusive_group(required=True))
    parser.add_argument("--redo", action="store_true", help="replace the run if it is there")
    options.add_config(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the method; print its table, and where its plot and pictures are."""
    method, config = methods.chosen(args), options.config(args)
    assert method is not None  # argparse wants one of the two
    methods.check(methods.runnable(method), config, args)
    from bench.core.device import tune_cpu

    tune_cpu()
    from bench.runs.experiment import Experiment
    from reports import build

    finished = Experiment(method, config, args.out).execute(args.redo)
    if is_first():
        print(f"\n{build.run_report(finished)}")
        print(build.places(finished))
    return 0
