"""Remove what takes room and is needed no more."""

from __future__ import annotations

import argparse
import sys

from bench.cli import options
from bench.cli.arguments import Parser
from bench.cli.methods import names_in
from bench.core.errors import UserError

EXAMPLES = """examples:
  python -m bench clean
  python -m bench clean runs --only checkpoints,failed --yes

Without --yes it only tells what would go.
"""


def add_options(parser: Parser) -> None:
    """Add the folder, what to remove, and the consent."""
    parser.usage, parser.epilog = "%(prog)s [FOLDER] [options]", EXAMPLES
    options.add_folder(parser)
    parser.add_argument(
        "--only",
        metavar="KINDS",
        help="comma-separated: checkpoints (of finished runs), failed (runs), redo (unfinished), "
        "pairs (pictures of no run), programs (what those were given that did not end), cache "
        "(default: all)",
    )
    parser.add_argument("--yes", action="store_true", help="remove it")


def execute(args: argparse.Namespace) -> int:
    """Print what can go, and remove it if that is asked for."""
    from bench.runs.clean import free, kinds, leftovers
    from reports.tables.markdown import table

    wanted = None if args.only is None else kinds(names_in(args.only, "--only"))
    found = [item for item in leftovers(args.folder) if wanted is None or item.kind in wanted]
    if not found:
        print(f"nothing to remove in {args.folder}")
        return 0
    sizes = [item.size for item in found]
    rows = [
        [item.kind, str(item.path), _mebibytes(size)]
        for item, size in zip(found, sizes, strict=True)
    ]
    print(table(["what", "where", "MiB"], [*rows, ["all", "", _mebibytes(sum(sizes))]]))
    if not args.yes:
        print("nothing is removed yet; give --yes")
        return 0
    kept = 0
    for item in found:
        try:
            free(item)
        except UserError as error:
            kept += 1
            print(f"kept: {error}", file=sys.stderr)
    return 2 if kept else 0


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f}"
