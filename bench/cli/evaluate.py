"""Measure finished runs, algorithms or pictures of another program on other test pairs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli import methods, options
from bench.cli.arguments import Parser
from bench.cli.run import make
from bench.cli.sweeping import attempted
from bench.config import Model, flag_of, override
from bench.core.errors import UserError
from bench.core.rank import is_first
from bench.registry import ImportedWeights, Method, TrainedNetwork
from bench.runs.run import Run

if TYPE_CHECKING:
    from bench.core.run_folder import RunFolder
    from bench.runs.case import Case

EXAMPLES = """examples:
  python -m bench evaluate --run runs/*-seed0 --test-images folder:PHOTOS
  python -m bench evaluate --baseline patchmatch telea --test-images folder:PHOTOS
  python -m bench evaluate --variant released --weights FILE --size 256 --resize 350
  python -m bench evaluate --outputs FOLDER --name lama --manifest pairs/pairs.json

Each result is a run like others, runs/METHOD-PRESET-on-IMAGES-PAIRS-seedN, and `report` has a table
of those on several sets of test pairs. A run is measured on its own, unless an option asks for
others: --test-images, --test-masks, --pairs, --size and the like, or --manifest. One that has these
numbers already is not measured again.
"""
WITHOUT_OUTPUTS = ("run", "variant", "baseline", "weights")
"""Options that cannot go with --outputs."""


def add_options(parser: Parser) -> None:
    """Add what is to be measured, and the parts of the config that concern a measurement."""
    parser.usage = (
        "%(prog)s (--run DIR ... | --baseline NAME ... | --variant NAME --weights FILE | "
        "--outputs DIR --name NAME) [options]"
    )
    parser.epilog = EXAMPLES
    options.add_methods(parser)
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="weights file (safetensors or torch); with --run: of one of its checkpoints",
    )
    parser.add_argument(
        "--outputs",
        type=Path,
        metavar="DIR",
        help="folder of filled test pairs, named as `pairs export` names them",
    )
    parser.add_argument(
        "--name",
        default="",
        help="word in the names of results; with --outputs: name of their method in all reports",
    )
    parser.add_argument("--lossy", action="store_true", help="with --outputs: take JPEG as well")
    parser.add_argument("--redo", action="store_true", help="replace results that are there")
    parser.add_argument(
        "--cost", action="store_true", help="measure too what it costs to fill an image"
    )
    options.add_device(parser)
    options.add_config(parser, only=("data", "model", "evaluation"))
    parser.first = (*options.FIRST, "--outputs", "--name", "--lossy", "--manifest")


def execute(args: argparse.Namespace) -> int:
    """Measure; print each table, and where its plot and pictures are."""
    if args.outputs is not None:
        _print_outputs(args)
        return 0
    works = _works(args)
    for folder in args.run:
        Run(folder).require()  # before the first is measured, which may take long
    from bench.core.device import tune_cpu

    tune_cpu()
    failed = attempted(works)
    for name, why in failed.items():
        text = why if why.startswith(name) else f"{name}: {why}"
        print(f"error: {text}", file=sys.stderr)
    return 2 if failed else 0


def _works(args: argparse.Namespace) -> dict[str, Callable[[], None]]:
    """Return what is to be measured by its name; options that do not fit are a `UserError`."""
    if args.lossy:
        raise UserError("--lossy has no effect without --outputs; leave it out")
    works: dict[str, Callable[[], None]] = {
        str(folder): partial(_print_run, args, Run(folder)) for folder in args.run
    }
    for method in methods.all_chosen(args):
        _check_weights(method, args)
        works[method.name] = partial(_print_method, args, method)
    if not works:
        raise UserError(
            "say what to measure: --run DIR, --baseline NAME, or a method's name and --weights FILE"
        )
    if args.weights and len(works) > 1:
        raise UserError("--weights goes with one --run, or with one method; give them one by one")
    for option in Model.__dataclass_fields__:
        if args.run and option in options.given(args):
            raise UserError(
                f"{flag_of(option)} has no effect with --run: {args.run[0]} knows the size of its "
                "network; leave it out"
            )
    options.config(args)  # a wrong option is told at once
    return works


def _check_weights(method: Method, args: argparse.Namespace) -> None:
    """Raise a `UserError` if a method needs weights that are not given, or has none."""
    needs = isinstance(method, TrainedNetwork | ImportedWeights)
    if needs and (args.run or not args.weights):
        raise UserError(
            f"{method.name} is measured with weights: give --run DIR alone, or --{method.family} "
            f"{method.name} --weights FILE"
        )
    if args.weights and not needs:
        raise UserError(f"{method.name} has no weights; leave out --weights")


def _print_run(args: argparse.Namespace, run: Run) -> None:
    """Measure a finished run and print its table, or where the numbers are if it has them."""
    from bench.runs import evaluation

    asked = options.given(args) | {"device": args.device}
    case = evaluation.of_run(run, asked, args.out, args.name, args.weights)
    wanted = args.redo or case.run.path.exists() or (args.cost and not run.cost.exists())
    if wanted or not evaluation.is_done(case, run):
        _print(args, case)
    elif is_first():
        print(f"{run.path} is measured on these test pairs already; its numbers: {run.records}")


def _print_method(args: argparse.Namespace, method: Method) -> None:
    """Measure an algorithm, or a method with the weights of a file, and print its table."""
    from bench.runs import evaluation

    config = override(options.config(args), {"device": args.device})
    if args.weights:
        case = evaluation.of_file(method, config, args.weights, args.out, args.name)
    else:
        case = evaluation.of_method(method, config, args.out, args.name)
    _print(args, case)


def _print(args: argparse.Namespace, case: Case) -> None:
    """Measure a case; print its table, and where plot and pictures are."""
    from reports import build

    text = make(case, args.redo, args.cost)
    if is_first():
        print(f"\n{text}\n{build.places(case.run)}")


def _print_outputs(args: argparse.Namespace) -> None:
    """Measure the pictures of a folder; print their table, and where plot and pictures are."""
    from reports import build

    run = _outputs(args)
    print(f"\n{build.run_report(run)}\n{build.places(run)}")


def _outputs(args: argparse.Namespace) -> RunFolder:
    """Measure the pictures of a folder, and return their run."""
    for name in WITHOUT_OUTPUTS:
        if getattr(args, name):
            raise UserError(f"--outputs and --{name}: give only one of them")
    if not args.name:
        raise UserError("--outputs needs --name: how reports are to call the method that made them")
    config = override(options.config(args), {"device": args.device})
    from bench.core.device import tune_cpu

    tune_cpu()
    from bench.runs import outputs

    return outputs.evaluate(args.outputs, args.name, config, args.out, args.lossy, args.redo)
