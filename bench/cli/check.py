"""Check that a method keeps the contract of all methods."""

from __future__ import annotations

import argparse

from bench.cli import options
from bench.cli.arguments import Parser
from bench.core.errors import UserError

EXAMPLES = """examples:
  python -m bench check forward
  python -m bench check mine --plugin mine.py
  python -m bench check onnx:model.onnx
  python -m bench check --all

Run it first on a method of your own. `bench/registry.py` states the contract. The exit code is 1 if
a check fails.
"""


def add_options(parser: Parser) -> None:
    """Add the method's name."""
    parser.usage, parser.epilog = "%(prog)s (NAME | --all)", EXAMPLES
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="name of the method (see list), or KIND:FILE"
    )
    parser.add_argument("--all", action="store_true", help="check all methods")
    options.add_plugin(parser)


def execute(args: argparse.Namespace) -> int:
    """Run all checks and print a line for each."""
    from bench.foreign.method import find
    from bench.registry import discover

    if bool(args.name) == args.all:
        raise UserError("check one method by its NAME, or all with --all")
    methods = list(discover().values()) if args.all else [find(args.name)]
    from bench.core.device import tune_cpu

    tune_cpu()
    from bench.conformance.report import report

    return 0 if report(methods) else 1
