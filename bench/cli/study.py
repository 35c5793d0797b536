"""Run a user study: make a blind voting page, count the votes."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.cli.arguments import Parser, whole_number
from bench.cli.methods import names_in
from bench.core.errors import UserError


def add_options(parser: Parser) -> None:
    """Add the two actions with their options."""
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")

    summary = "Write a blind page on which people vote for outputs, and the key to it"
    make_options = actions.add_parser("make", help=summary, description=summary)
    make_options.set_defaults(execute=make, parser=make_options)
    make_options.add_argument(
        "--runs",
        type=Path,
        nargs="+",
        action="extend",
        help="folders of runs, or runs themselves (default: runs)",
    )
    make_options.add_argument("--methods", help="comma-separated; default: all with pictures")
    make_options.add_argument(
        "--questions", type=whole_number(1, 10_000), default=30, help="how many (default: 30)"
    )
    make_options.add_argument(
        "--seed",
        type=whole_number(0, 2**63 - 1),
        help="seed of pairs and orders; default: a secret one is drawn",
    )
    make_options.add_argument(
        "--to",
        type=Path,
        default=Path("runs/study"),
        help="folder for the page and its key (default: runs/study)",
    )

    summary = "Count the voters' files: share of the votes per method, with intervals"
    count_options = actions.add_parser("count", help=summary, description=summary)
    count_options.set_defaults(execute=count, parser=count_options)
    count_options.add_argument(
        "--ballots",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        help="the voters' files, or a folder of them",
    )
    count_options.add_argument("--key", type=Path, default=Path("runs/study/key.json"),
                              help="the page's key (default: runs/study/key.json)")  # fmt: skip


def execute(args: argparse.Namespace) -> int:
    """Do nothing by itself: argparse wants one of the actions."""
    raise AssertionError("argparse calls an action")


def make(args: argparse.Namespace) -> int:
    """Write the page and its key."""
    from bench.runs.run import Run, find, sound
    from reports.study.make import make as make_study

    folders = args.runs or [Path("runs")]
    finished, damaged = sound(run for folder in folders for run in find(folder) or [Run(folder)])
    if damaged:
        raise UserError("; ".join(damaged))
    if not finished:
        looked = ", ".join(map(str, folders))
        raise UserError(f"no finished run in {looked}; make one with `python -m bench run`")
    for run in finished:
        if run.lacks_pictures():
            raise UserError(
                f"pictures of {run.path} are missing or damaged; `python -m bench report --out "
                f"{run.path.parent}` makes them again"
            )
    methods = [] if args.methods is None else names_in(args.methods, "--methods")
    print(make_study(finished, args.to, methods, args.questions, args.seed))
    return 0


def count(args: argparse.Namespace) -> int:
    """Count the ballots."""
    from reports.study.count import count as count_ballots

    print(count_ballots(args.ballots, args.key))
    return 0
