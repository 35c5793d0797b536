"""Run the paper's method and every baseline; print the comparison (Table 1) and the costs."""

from __future__ import annotations

import argparse
from functools import partial

from bench.cli import methods, options
from bench.cli.arguments import Parser
from bench.config import override
from bench.core.rank import is_first

EXAMPLES = """examples:
  python -m bench compare
  python -m bench compare --methods full,pconv,patchmatch --test-images bsds500 --data-root DATA
"""


def add_options(parser: Parser) -> None:
    """Add the choice of methods and the whole config."""
    parser.usage, parser.epilog = "%(prog)s [options]", EXAMPLES
    parser.add_argument(
        "--methods", help="comma-separated names; default: the paper's method and all baselines"
    )
    options.add_sweep(parser)
    options.add_config(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the methods, one after the other, measure their costs and print their report."""
    from bench.registry import reference

    if args.methods is None:
        compared = [reference(), *methods.of_family("baseline")]
    else:
        compared = methods.named(methods.names_in(args.methods, "--methods"))
    config = options.config(args)
    configs = [override(config, {"seed": seed}) for seed in methods.seeds(args, config)]
    from bench.core.device import tune_cpu

    tune_cpu()
    from bench.profiling import cost
    from reports import build

    runs, failed = methods.run_all(compared, configs, args)
    if runs and is_first():
        for run in runs:
            methods.attempt(run.name, partial(cost.of_run, run), failed)
        out = args.out / "comparison"
        print(f"\n{build.comparison(runs, out)}\ntable, plots and pictures: {out}")
    return methods.report_failed(failed)
