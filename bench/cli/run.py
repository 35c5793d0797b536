"""Train and measure one method."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bench.cli import config_file, methods, options
from bench.cli.arguments import Parser
from bench.core.errors import UserError
from bench.core.rank import is_first

if TYPE_CHECKING:
    from bench.runs.case import Case

EXAMPLES = """examples:
  python -m bench run --variant forward
  python -m bench run --baseline patchmatch --images folder:PHOTOS
  python -m bench run --baseline torchscript:model.pt:polarity=hole-white:multiple=8
  python -m bench run --variant full --preset small --data-root DATA --seed 1

A finished run is skipped, and a run that was interrupted continues from its last checkpoint.
"""


def add_options(parser: Parser) -> None:
    """Add the method and the whole config."""
    parser.usage, parser.epilog = "%(prog)s (--variant NAME | --baseline NAME) [options]", EXAMPLES
    options.add_method(parser.add_mutually_exclusive_group())
    parser.add_argument("--redo", action="store_true", help="replace the run if it is there")
    parser.add_argument(
        "--cost", action="store_true", help="measure too what it costs to fill an image"
    )
    options.add_name(parser)
    config_file.add_config_file(parser)
    options.add_config(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the method; print its table, and where its plot and pictures are."""
    from bench.runs.case import Case
    from reports import build

    method, config = methods.chosen(args), options.config(args)
    if method is None:
        raise UserError("say what to run: --variant NAME or --baseline NAME; see `list`")
    if args.described and (args.described.axes or args.described.methods):
        raise UserError(f"{args.config} describes a sweep; give it to ablate or compare")
    methods.check(methods.runnable(method), config, args)
    from bench.core.device import tune_cpu

    tune_cpu()
    case = Case(method, config, args.out, args.name)
    text = make(case, args.redo, args.cost)
    if is_first():
        print(f"\n{text}\n{build.places(case.run)}")
    return 0


def make(case: Case, redo: bool, cost: bool) -> str:
    """Make the run of a case with its report and, where it is asked for, its cost.

    Return the table; it is empty in all processes but the first.
    """
    from bench.foreign.method import Program
    from bench.runs.experiment import Experiment
    from reports import build

    if isinstance(case.method, Program):
        from bench.runs.programs import carried_out

        case = carried_out(case, redo)
    run = Experiment(case.method, case.config, case.root, case.tag).execute(redo)
    if not is_first():
        return ""
    if cost and not run.outputs:  # what a program costs is not to be seen in its pictures
        from bench.profiling.cost import of_run

        of_run(run)
    return build.run_report(run)
