"""Open a page on this machine to paint holes into a picture and see methods fill them."""

from __future__ import annotations

import argparse
import os
import signal
import webbrowser
from pathlib import Path

from bench.cli import options
from bench.cli.arguments import Parser, whole_number
from bench.core.errors import UserError

EXAMPLES = """examples:
  python -m bench paint
  python -m bench paint --runs runs other-runs/full-paper-seed0 --port 9000 --open

The page is for this machine alone (127.0.0.1), and what it is shown stays in memory. For one that
runs on a server: ssh -L 8765:127.0.0.1:8765 SERVER, and open http://127.0.0.1:8765/ here.
"""
RUNS = Path("runs")


def add_options(parser: Parser) -> None:
    """Add the runs to choose from, the port and the device."""
    parser.epilog = EXAMPLES
    help = "folders of runs, or runs themselves (default: runs, if it is there)"
    parser.add_argument("--runs", type=Path, nargs="+", action="extend", metavar="DIR", help=help)
    help = "port of the page's address (default: 8765)"
    parser.add_argument("--port", type=whole_number(1024, 65_535), default=8765, help=help)
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    options.add_plugin(parser)
    options.add_device(parser)


def execute(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C."""
    for folder in args.runs or []:
        if not folder.is_dir():
            raise UserError(f"no folder {folder}; give one of runs, or leave --runs out")
    folders = args.runs or [folder for folder in [RUNS] if folder.is_dir()]
    from bench.painting.fillers import Fillers
    from bench.painting.server import Server

    with Server(args.port, Fillers(folders, args.device)) as server:
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.default_int_handler)
            print(f"painting page: {server.address} (Ctrl-C ends it)", flush=True)
            if args.open:
                webbrowser.open(server.address)
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nstopped", flush=True)
            os._exit(0)  # a filling in work has nothing to lose, and would be waited for
    return 0
