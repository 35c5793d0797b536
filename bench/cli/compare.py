"""Run the paper's method and every baseline; print the comparison (Table 1) and the costs."""

from __future__ import annotations

import argparse

from bench.cli import methods, sweeping
from bench.cli.arguments import Parser

EXAMPLES = """examples:
  python -m bench compare
  python -m bench compare --methods full,pconv,patchmatch --test-images bsds500 --data-root DATA
"""


def add_options(parser: Parser) -> None:
    """Add the choice of methods and the options of a sweep."""
    parser.usage, parser.epilog = "%(prog)s [options]", EXAMPLES
    parser.add_argument(
        "--methods",
        help="comma-separated names, a command with a comma in double quotes; default: the paper's "
        "method and all baselines",
    )
    sweeping.add_options(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the methods, measure their costs and print their report."""
    from bench.registry import reference

    if args.methods is None:
        compared = [reference(), *methods.of_family("baseline")]
    else:
        compared = methods.named(methods.names_in(args.methods, "--methods"))
    return sweeping.carry_out(sweeping.sweep_of(args, compared, "comparison"), args)
