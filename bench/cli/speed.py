"""Time training, filling, evaluation, data, start-up and reports on this machine."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli import options
from bench.cli.arguments import Parser, whole_number
from bench.core.errors import unknown

if TYPE_CHECKING:
    from bench.profiling.timing import Row

SECTIONS = ("training", "inference", "compiled", "evaluation", "data", "start", "reports")
COLUMNS = ("time", "images/s", "GFLOP", "share", "x plain", "x released")
"""Columns after the name; the last is there where the released code is."""
EXAMPLES = """examples:
  python -m bench speed
  python -m bench speed --only training inference --repeats 3

The share is that of the matrix rate: the floating-point operations of a row, by the time that a
product of large matrices would take for as many, by the row's own time.
"""


def add_options(parser: Parser) -> None:
    """Add the choice of sections and the number of repeats."""
    parser.usage, parser.epilog = "%(prog)s [options]", EXAMPLES
    parser.add_argument(
        "--repeats", type=whole_number(1, 1000), default=5, help="timed runs per row (default: 5)"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        action="extend",
        metavar="SECTION",
        help=f"sections: {', '.join(SECTIONS)} (default: all)",
    )
    options.add_plugin(parser)
    parser.add_argument(
        "--released",
        type=Path,
        metavar="FOLDER",
        help="clone of the released code of LBAM's authors, to be timed next to this one",
    )


def execute(args: argparse.Namespace) -> int:
    """Time the sections and print a table for each."""
    from bench.core.device import tune_cpu

    tune_cpu()
    from bench.profiling import released, report_speed, speed
    from reports.build import ablation
    from reports.tables.markdown import table

    if args.released:
        released.check(args.released)
    asked = [name for word in args.only or SECTIONS for name in word.split(",") if name]
    for name in asked:
        if name not in SECTIONS:
            raise unknown("section", name, SECTIONS)
    sections = speed.sections(args.released)
    sections["reports"] = partial(report_speed.reports, ablation)
    print(f"{speed.machine()}; medians of {args.repeats}")
    for name in asked:
        rows = [_cells(row, speed.share(row)) for row in sections[name](args.repeats)]
        columns = [name, *COLUMNS] if args.released else [name, *COLUMNS[:-1]]
        cut = [row[: len(columns)] for row in rows]
        print(f"\n{table(columns, cut)}", flush=True)
    return 0


def _cells(row: Row, share: float | None) -> list[str]:
    """Return the cells of a row: its name, and those of `COLUMNS`."""
    return [
        row.what,
        f"{1000 * row.seconds:.1f} ms",
        f"{row.images / row.seconds:.1f}" if row.images else "-",
        f"{row.flops / 1e9:.1f}" if row.flops else "-",
        f"{share:.0%}" if share is not None else "-",
        f"{row.plain / row.seconds:.2f}" if row.plain else "-",
        f"{row.released / row.seconds:.2f}" if row.released else "-",
    ]
