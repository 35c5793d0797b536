"""Which methods a command is about, and running several of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from bench.cli.options import given
from bench.config import Config, Model
from bench.core.errors import UserError
from bench.registry import Family, ImportedWeights, Method, discover, find

if TYPE_CHECKING:
    from bench.runs.run import Run


def chosen(args: argparse.Namespace) -> Method | None:
    """Return the method of --variant or --baseline, where one is given."""
    for family in get_args(Family):
        if getattr(args, family):
            return find(getattr(args, family), family)
    return None


def runnable(method: Method) -> Method:
    """Return the method; a `UserError` if it is measured only with weights from elsewhere."""
    if isinstance(method, ImportedWeights):
        raise UserError(
            f"{method.family} '{method.name}' is not trained; "
            "use evaluate or inpaint with --weights"
        )
    return method


def named(names: str, family: Family | None = None) -> list[Method]:
    """Return the methods of comma-separated names, which must be runnable."""
    return [runnable(find(name.strip(), family)) for name in names.split(",")]


def of_family(family: Family) -> list[Method]:
    """Return all methods of a family that can be run, but for those that must be named."""
    methods = [m for m in discover().values() if m.family == family and not m.only_named]
    return [method for method in methods if not isinstance(method, ImportedWeights)]


def run_all(
    methods: Sequence[Method], config: Config, args: argparse.Namespace
) -> tuple[list[Run], list[str]]:
    """Run methods one after the other; return the runs, and what went wrong with the others.

    Each method gets the options that concern it, and failure of one does not stop the others.
    """
    from bench.runs.experiment import Experiment
    from reports import build

    runs, failed = [], []
    for number, method in enumerate(methods, 1):
        print(f"[{number}/{len(methods)}] {method.name}", file=sys.stderr)
        try:
            experiment = Experiment(method, method.relevant(config), args.out)
            runs.append(experiment.execute(args.redo))
        except UserError as error:
            failed.append(f"{method.name}: {error}")
        except Exception as error:  # a method's own code; the others must still be run
            failed.append(f"{method.name}: {type(error).__name__}: {error}")
    if first_process():
        for run in runs:
            build.run_report(run)
    return runs, failed


def report_failed(failed: Sequence[str]) -> int:
    """Print what failed, and return the exit code."""
    for text in failed:
        print(f"failed: {text}", file=sys.stderr)
    return 2 if failed else 0


def first_process() -> bool:
    """Whether this is the process that writes, of several that train one run."""
    from accelerate import PartialState

    return bool(PartialState().is_main_process)


def weights(args: argparse.Namespace, start: Config) -> tuple[Method, Config, Path]:
    """Return method, config and weights file, from --run or from a method's name and --weights.

    A run knows its own networks, so options of the model are a `UserError` with --run.
    """
    method = chosen(args)
    if args.run and method is None:
        from bench.core.run_folder import RunFolder
        from bench.runs.experiment import load_run

        for option in Model.__dataclass_fields__:
            if option in given(args):
                raise UserError(
                    f"--{option.replace('_', '-')} has no effect with --run: {args.run} knows the "
                    "size of its network; leave it out"
                )
        folder = RunFolder(args.run)
        method, config = load_run(folder)
        return method, config, args.weights or folder.weights
    if args.weights and method and not args.run:
        return method, start, args.weights
    raise UserError(
        "say what to use: --run DIR (and --weights for one of its checkpoints), "
        "or --variant or --baseline NAME and --weights FILE"
    )
