"""Make the tables, plots and pages of finished runs again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli import options
from bench.cli.arguments import Parser
from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.runs.run import Run

EXAMPLES = """examples:
  python -m bench report
  python -m bench report --image photo.png --mask object.png
"""


def add_options(parser: Parser) -> None:
    """Add the folder of runs, and a picture to fill."""
    parser.usage, parser.epilog = "%(prog)s [options]", EXAMPLES
    options.add_out(parser)
    options.add_picture(parser, required=False)


def execute(args: argparse.Namespace) -> int:
    """Write the report of every run, and of all runs together."""
    from bench.runs.run import find
    from reports import build

    finished = [run for run in find(args.out) if run.progress == "finished"]
    if not finished:
        raise UserError(f"no finished run in {args.out}; make one with `python -m bench run`")
    _restore_pictures([run for run in finished if not run.pictured], args.out)
    for run in finished:
        build.run_report(run)
    out = args.out / "report"
    print(f"{build.everything(finished, out)}\ntables and plots: {out}")
    if args.image or args.mask:
        print(f"object removal: {_remove_object(args, finished, out / 'removal')}")
    return 0


def _restore_pictures(runs: Sequence[Run], root: Path) -> None:
    """Make missing pictures again; a run whose test images are gone is reported without."""
    if not runs:
        return
    from bench.core.device import tune_cpu

    tune_cpu()
    from bench.runs.experiment import restore_pictures

    for run in runs:
        try:
            restore_pictures(run, root / ".cache")
        except UserError as error:
            print(f"warning: no pictures of {run.name}: {error}", file=sys.stderr)


def _remove_object(args: argparse.Namespace, runs: Sequence[Run], out: Path) -> Path:
    """Fill the user's picture by every run (Fig. 6), and return the figure."""
    if not (args.image and args.mask):
        raise UserError("object removal needs both --image and --mask")
    from bench.core.device import choose, tune_cpu

    tune_cpu()
    from bench.evaluation import picture
    from bench.runs.experiment import load_run, network_of
    from reports.figures import removal

    image, mask = picture.read(args.image, args.mask, args.polarity)
    holes = picture.save(out / "input.png", picture.show_hole(image, mask))
    filled: dict[str, Path] = {}
    for run in runs:
        method, config = load_run(run)
        if method.name not in filled:  # the first seed stands for all
            network = network_of(method, config, run)
            output = picture.fill_picture(network, image, mask, choose("auto"))
            filled[method.name] = picture.save(out / f"{method.name}.png", output)
    removal(holes, filled, out / "removal.png")
    return out / "removal.png"
