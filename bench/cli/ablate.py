"""Run every variant and print the ablation table (Table 2)."""

from __future__ import annotations

import argparse

from bench.cli import methods, sweeping
from bench.cli.arguments import Parser

EXAMPLES = """examples:
  python -m bench ablate
  python -m bench ablate --variants full,forward --seeds 0,1,2
"""


def add_options(parser: Parser) -> None:
    """Add the choice of variants and the options of a sweep."""
    parser.usage, parser.epilog = "%(prog)s [options]", EXAMPLES
    parser.add_argument("--variants", help="comma-separated names; default: all of them")
    sweeping.add_options(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the variants and print their report."""
    if args.variants is None:
        variants = methods.of_family("variant")
    else:
        variants = methods.named(methods.names_in(args.variants, "--variants"), "variant")
    return sweeping.carry_out(sweeping.sweep_of(args, variants, "ablation"), args)
