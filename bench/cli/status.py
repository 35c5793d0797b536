"""Show how far the runs of a folder or of a sweep are."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli import options
from bench.cli.arguments import Parser
from bench.core.interrupts import INTERRUPTED

if TYPE_CHECKING:
    from bench.sweeps.status import Status

EXAMPLES = """examples:
  python -m bench status
  python -m bench status runs --watch
  python -m bench status runs/ablation

The exit code is 0 if there are runs and all are finished, else 1.
"""
HEADER = ["run", "state", "step", "img/s", "left", "PSNR, dB", "host", "device", "job", "note"]
PAUSE = 3.0
"""Seconds between two looks of `--watch`."""
CLEAR = "\x1b[H\x1b[2J"
"""Code that empties a terminal."""


def add_options(parser: Parser) -> None:
    """Add the folder, and the form of the answer."""
    parser.usage, parser.epilog = "%(prog)s [FOLDER] [--watch | --json]", EXAMPLES
    options.add_folder(parser, "folder of runs, or a sweep's own")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--watch", action="store_true", help="show it again and again until Ctrl-C")
    form.add_argument("--json", action="store_true", help="print a list for programs")


def execute(args: argparse.Namespace) -> int:
    """Print a table of all runs."""
    from bench.sweeps.status import survey

    if args.watch:
        return _watch(args.folder)
    found = survey(args.folder)
    print(
        json.dumps([asdict(status) for status in found], indent=2)
        if args.json
        else _table(found, args.folder)
    )
    return 0 if found and all(status.state == "finished" for status in found) else 1


def _watch(folder: Path) -> int:
    """Print the table every few seconds; Ctrl-C ends it with a line end."""
    from bench.sweeps.status import survey

    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        while True:
            text = _table(survey(folder), folder)
            print(CLEAR + text if sys.stdout.isatty() else f"{text}\n", flush=True)
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        print()
        return INTERRUPTED


def _table(found: Sequence[Status], folder: Path) -> str:
    from reports.tables.markdown import table

    return table(HEADER, map(_row, found)) if found else f"no runs in {folder}"


def _row(status: Status) -> list[str]:
    from bench.sweeps.status import duration

    numbers = [
        None if status.steps is None else f"{status.step}/{status.steps}",
        None if status.images_per_s is None else f"{status.images_per_s:.1f}",
        None if status.seconds_left is None else duration(status.seconds_left),
        None if status.psnr is None else f"{status.psnr:.2f}",
    ]
    texts = [status.host, status.device, status.job, status.note]
    name = f"{status.run} (redo)" if status.redo else status.run
    return [name, status.state, *(cell or "-" for cell in [*numbers, *texts])]
