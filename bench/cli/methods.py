"""Which methods a command is about, and running several of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, get_args

from bench.cli.options import given
from bench.config import Config, Model, flag_of
from bench.core.errors import UserError
from bench.core.rank import is_first
from bench.presets import changes
from bench.registry import Family, ImportedWeights, Method, TrainedNetwork, discover, find

if TYPE_CHECKING:
    from bench.runs.run import Run

Result = TypeVar("Result")


def chosen(args: argparse.Namespace) -> Method | None:
    """Return the method of --variant or --baseline, where one is given."""
    for family in get_args(Family):
        if getattr(args, family) is not None:
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


def check(method: Method, config: Config, args: argparse.Namespace) -> None:
    """Raise a `UserError` for settings that the method cannot work with, or that it ignores."""
    # An option that differs from the preset and was not typed was set by --objective.
    if method.ignores & changes(config).keys() - given(args).keys():
        raise UserError(
            f"--objective {args.objective} sets options without effect on {method.name}, which has "
            "losses of its own; leave it out"
        )
    method.check(config)


def names_in(text: str, flag: str) -> list[str]:
    """Return comma-separated names; an empty one is a `UserError` that names the option."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UserError(f"{flag} '{text}' lacks a name; give names separated by commas")
    return names


def named(names: Sequence[str], family: Family | None = None) -> list[Method]:
    """Return the methods of some names, which must be runnable."""
    return [runnable(find(name, family)) for name in names]


def of_family(family: Family) -> list[Method]:
    """Return all methods of a family that can be run, but for those that must be named."""
    methods = [m for m in discover().values() if m.family == family and not m.only_named]
    return [method for method in methods if not isinstance(method, ImportedWeights)]


def seeds(args: argparse.Namespace, config: Config) -> list[int]:
    """Return the seeds of --seeds, or the one of the config."""
    if args.seeds is None:
        return [config.training.seed]
    if "seed" in given(args):
        raise UserError("--seed and --seeds: give only one of them")
    names = names_in(args.seeds, "--seeds")
    if not all(name.isascii() and name.isdigit() for name in names):
        raise UserError(f"--seeds {args.seeds}: give whole numbers separated by commas, as in 0,1")
    if len(set(map(int, names))) < len(names):
        raise UserError(f"--seeds {args.seeds}: a seed stands there twice")
    return [int(name) for name in names]


def run_all(
    methods: Sequence[Method], configs: Sequence[Config], args: argparse.Namespace
) -> tuple[list[Run], list[str]]:
    """Run methods one after the other; return the runs, and what went wrong with the others.

    The configs differ in their seeds: all methods run under the first, then those that are trained
    under the others. Each gets the options that concern it, and failure of one does not stop the
    others.
    """
    from bench.runs.experiment import Experiment
    from reports import build

    runs: list[Run] = []
    failed: list[str] = []
    work = [
        (method, config)
        for config in configs
        for method in methods
        if isinstance(method, TrainedNetwork) or config == configs[0]
    ]
    for number, (method, config) in enumerate(work, 1):
        name = f"{method.name}, seed {config.training.seed}" if configs[1:] else method.name
        print(f"[{number}/{len(work)}] {name}", file=sys.stderr)
        experiment = Experiment(method, method.relevant(config), args.out)
        run = attempt(name, partial(experiment.execute, args.redo), failed)
        if run is not None:
            runs.append(run)
    if is_first():
        for run in runs:
            attempt(run.name, partial(build.run_report, run), failed)
    return runs, failed


def attempt(name: str, work: Callable[[], Result], failed: list[str]) -> Result | None:
    """Do some work for a method; what goes wrong is added to `failed` and stops nothing else."""
    try:
        return work()
    except UserError as error:
        failed.append(f"{name}: {error}")
    # A method is anybody's code and may fail in any way.
    except (Exception, SystemExit) as error:
        failed.append(f"{name}: {type(error).__name__}: {' '.join(str(error).splitlines())}")
    return None


def report_failed(failed: Sequence[str]) -> int:
    """Print what failed, and return the exit code."""
    for text in failed:
        print(f"failed: {text}", file=sys.stderr)
    return 2 if failed else 0


def weights(args: argparse.Namespace, start: Config) -> tuple[Method, Config, Path]:
    """Return method, config and weights file, from --run or from a method's name and --weights.

    A run knows its own networks, so options of the model are a `UserError` with --run.
    """
    method = chosen(args)
    if args.run and method is None:
        from bench.runs.experiment import load_run
        from bench.runs.run import Run

        for option in Model.__dataclass_fields__:
            if option in given(args):
                raise UserError(
                    f"{flag_of(option)} has no effect with --run: {args.run} knows the "
                    "size of its network; leave it out"
                )
        run = Run(args.run)
        method, config = load_run(run)
        return method, config, args.weights or run.weights
    if args.weights and method and not args.run:
        return method, start, args.weights
    raise UserError(
        "say what to use: --run DIR (and --weights for one of its checkpoints), "
        "or --variant or --baseline NAME and --weights FILE"
    )
