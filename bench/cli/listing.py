"""Show what there is to choose from: methods, image sources, masks, metrics."""

from __future__ import annotations

import argparse

from bench.cli import options
from bench.cli.arguments import Parser

EXAMPLES = """examples:
  python -m bench list
  python -m bench list masks
"""
KINDS = ("methods", "images", "masks", "metrics")


def add_options(parser: Parser) -> None:
    """Add the kind of things to list."""
    parser.usage, parser.epilog = f"%(prog)s [{'|'.join(KINDS)}]", EXAMPLES
    parser.add_argument(
        "kind", choices=KINDS, nargs="?", default="methods", help="what to list (default: methods)"
    )
    options.add_plugin(parser)


def execute(args: argparse.Namespace) -> int:
    """Print a table of all things of one kind."""
    from reports.tables import listings

    tables = {
        "methods": listings.methods,
        "images": listings.images,
        "masks": listings.masks,
        "metrics": listings.metrics,
    }
    print(tables[args.kind]())
    return 0
