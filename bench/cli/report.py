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
    from bench.runs.run import find, sound
    from reports import build

    if bool(args.image) != bool(args.mask):
        raise UserError("object removal needs both --image and --mask")
    readable, damaged = sound(find(args.out))
    finished, unpictured = _pictured(readable, args.out)
    left_out = [*damaged, *unpictured]
    if not finished:
        raise UserError(
            "; ".join(left_out)
            or f"no finished run in {args.out}; make one with `python -m bench run`"
        )
    for run in finished:
        build.run_report(run)
    out = args.out / "report"
    print(f"{build.everything(finished, out)}\ntables and plots: {out}")
    if args.image:
        print(f"object removal: {_remove_object(args, finished, out / 'removal')}")
    for text in left_out:
        print(f"left out: {text}", file=sys.stderr)
    return 2 if left_out else 0


def _pictured(runs: Sequence[Run], root: Path) -> tuple[list[Run], list[str]]:
    """Make pictures again that are missing or damaged; return the runs, and those left out.

    A run whose test images are gone is reported without pictures, but never with damaged ones.
    """
    kept, left_out = [], []
    for run in runs:
        try:
            if run.lacks_pictures():
                _restore_pictures(run, root)
        except UserError as error:
            if run.pictures.own.exists():
                left_out.append(f"{run.name}: its pictures are incomplete or damaged, and {error}")
                continue
            print(f"warning: no pictures of {run.name}: {error}", file=sys.stderr)
        kept.append(run)
    return kept, left_out


def _restore_pictures(run: Run, root: Path) -> None:
    from bench.core.device import tune_cpu

    tune_cpu()
    from bench.runs.experiment import restore_pictures

    print(f"{run.name}: pictures are missing or damaged, and made again", file=sys.stderr)
    restore_pictures(run, root)


def _remove_object(args: argparse.Namespace, runs: Sequence[Run], out: Path) -> Path:
    """Fill the user's picture by every run (Fig. 6), and return the figure."""
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
