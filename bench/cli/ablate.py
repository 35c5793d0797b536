"""Run every variant and print the ablation table (Table 2)."""

from __future__ import annotations

import argparse

from bench.cli import methods, options
from bench.cli.arguments import Parser
from bench.config import override
from bench.core.rank import is_first

EXAMPLES = """examples:
  python -m bench ablate
  python -m bench ablate --variants full,forward --seeds 0,1,2
"""


def add_options(parser: Parser) -> None:
    """Add the choice of variants and the whole config."""
    parser.usage, parser.epilog = "%(prog)s [options]", EXAMPLES
    parser.add_argument("--variants", help="comma-separated names; default: all of them")
    options.add_sweep(parser)
    options.add_config(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the variants, one after the other, and print their report."""
    if args.variants is None:
        variants = methods.of_family("variant")
    else:
        variants = methods.named(methods.names_in(args.variants, "--variants"), "variant")
    config = options.config(args)
    configs = [override(config, {"seed": seed}) for seed in methods.seeds(args, config)]
    from bench.core.device import tune_cpu

    tune_cpu()
    from reports import build

    runs, failed = methods.run_all(variants, configs, args)
    if runs and is_first():
        out = args.out / "ablation"
        print(f"\n{build.ablation(runs, out)}\ntable and plots: {out}")
    return methods.report_failed(failed)
