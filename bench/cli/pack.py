"""Pack finished runs into one zip file, for a report on another machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.cli.arguments import Parser
from bench.core.errors import UserError

EXAMPLES = """examples:
  python -m bench pack --out sweep.zip
  python -m bench pack runs/full-quick-seed0 runs/forward-quick-seed0 --weights
  python -m bench report sweep.zip other.zip
"""


def add_options(parser: Parser) -> None:
    """Add the runs, the file to write and whether weights go into it."""
    parser.usage, parser.epilog = "%(prog)s [RUNS ...] [options]", EXAMPLES
    parser.add_argument(
        "runs",
        type=Path,
        nargs="*",
        default=[Path("runs")],
        metavar="RUNS",
        help="a folder of runs, or runs themselves (default: runs)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("sweep.zip"), help="file to write (default: sweep.zip)"
    )
    parser.add_argument(
        "--weights", action="store_true", help="pack the trained weights too, for report --image"
    )


def execute(args: argparse.Namespace) -> int:
    """Write the pack, and name the runs that are not in it."""
    from bench.runs.pack import pack, packable
    from bench.runs.sources import runs_at

    # A run may be named twice, by itself and by its folder.
    runs = list(dict.fromkeys(run for place in args.runs for run in runs_at(place)))
    kept, left_out = packable(runs, args.weights)
    if not kept:
        raise UserError("; ".join(left_out))
    pack(kept, args.out, args.weights)
    print(f"runs packed: {len(kept)}, in {args.out} ({args.out.stat().st_size / 2**20:.1f} MiB)")
    for text in left_out:
        print(f"left out: {text}", file=sys.stderr)
    return 2 if left_out else 0
