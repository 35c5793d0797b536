"""Which methods a command is about, and under which seeds."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

from bench.cli.options import given
from bench.config import Config, Model, flag_of
from bench.core.errors import UserError
from bench.foreign.method import find
from bench.presets import changes
from bench.registry import Family, ImportedWeights, Method, discover


def chosen(args: argparse.Namespace) -> Method | None:
    """Return the method of --variant or --baseline, where one is given."""
    for family in get_args(Family):
        if getattr(args, family) is not None:
            return find(getattr(args, family), family)
    return None


def all_chosen(args: argparse.Namespace) -> list[Method]:
    """Return the methods of a --variant and a --baseline that take several names."""
    return [find(name, family) for family in get_args(Family) for name in getattr(args, family)]


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
    """Return comma-separated names; an empty one is a `UserError` that names the option.

    As in CSV files, a name that holds a comma stands in double quotes.
    """
    try:
        (row,) = csv.reader([text], skipinitialspace=True, strict=True)
    except csv.Error as error:
        raise UserError(f"{flag} {text!r} cannot be read: {error}") from error
    names = [name.strip() for name in row]
    if not (names and all(names)):
        raise UserError(f"{flag} '{text}' lacks a name; give names separated by commas")
    return names


def in_text(names: Iterable[str]) -> str:
    """Return the text that `names_in` reads as these names."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return text.getvalue()


def named(names: Sequence[str], family: Family | None = None) -> list[Method]:
    """Return the methods of some names, which must be runnable."""
    try:
        return [runnable(find(name, family)) for name in names]
    except UserError as error:
        if any(name.startswith("command:") for name in names):
            raise UserError(f"{error}; a command with a comma stands in double quotes") from error
        raise


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


def weights(args: argparse.Namespace, start: Config) -> tuple[Method, Config, Path]:
    """Return method, config and weights file, from --run or from a method's name and --weights.

    A run knows its own networks, so options of the model are a `UserError` with --run.
    """
    method = chosen(args)
    if args.run and method is None:
        from bench.runs.experiment import load_run
        from bench.runs.run import Run
        from bench.runs.weights import file_of

        for option in Model.__dataclass_fields__:
            if option in given(args):
                raise UserError(
                    f"{flag_of(option)} has no effect with --run: {args.run} knows the "
                    "size of its network; leave it out"
                )
        run = Run(args.run)
        method, config = load_run(run)
        return method, config, args.weights or file_of(run)
    if args.weights and method and not args.run:
        return method, start, args.weights
    raise UserError(
        "say what to use: --run DIR (and --weights for one of its checkpoints), "
        "or --variant or --baseline NAME and --weights FILE"
    )
