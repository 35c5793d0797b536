"""Time training, inference, evaluation, data and reports on this machine."""

from __future__ import annotations

import argparse
from functools import partial

from bench.cli.arguments import Parser, whole_number
from bench.core.errors import unknown

EXAMPLES = """examples:
  python -m bench speed
  python -m bench speed --only training inference --repeats 3
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
        metavar="SECTION",
        help="sections: training, inference, evaluation, data, start, reports (default: all)",
    )


def execute(args: argparse.Namespace) -> int:
    """Time the sections and print a table for each."""
    from bench.core.device import tune_cpu

    tune_cpu()
    from bench.profiling import report_speed, speed
    from reports.build import ablation
    from reports.tables.markdown import table

    sections = dict(speed.SECTIONS)
    sections["reports"] = partial(report_speed.reports, ablation)
    asked = [name for word in args.only or sections for name in word.split(",") if name]
    for name in asked:
        if name not in sections:
            raise unknown("section", name, sections)
    print(f"{speed.machine()}; medians of {args.repeats}")
    for name in asked:
        rows = [
            [
                row.what,
                f"{1000 * row.seconds:.1f} ms",
                f"{row.images / row.seconds:.1f}" if row.images else "-",
                f"{row.plain / row.seconds:.2f}" if row.plain else "-",
            ]
            for row in sections[name](args.repeats)
        ]
        print(f"\n{table([name, 'time', 'images/s', 'x plain'], rows)}", flush=True)
    return 0
