"""Make the tables, plots and pages of finished runs again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli import options, pictures, sweep_report
from bench.cli.arguments import Parser
from bench.core.errors import UserError
from bench.core.files import replacing

if TYPE_CHECKING:
    from bench.inpainting.batch import Batch
    from bench.inpainting.jobs import Job
    from bench.runs.run import Run
    from bench.runs.sources import Source

EXAMPLES = """examples:
  python -m bench report
  python -m bench report runs/ablation
  python -m bench report sweep.zip other.zip /mnt/cluster/runs
  python -m bench report --image photo.png --mask object.png
"""


def add_options(parser: Parser) -> None:
    """Add the sources of runs, the folder of the report, and a picture to fill."""
    parser.usage, parser.epilog = "%(prog)s [SOURCES ...] [options]", EXAMPLES
    parser.add_argument(
        "sources",
        type=Path,
        nargs="*",
        metavar="SOURCES",
        help="folders of runs, runs themselves and files of `pack`, merged (default: --out); "
        "or the folder of one sweep, which gets the report",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder that gets the report, as report/ (default: runs)",
    )
    options.add_picture(parser, required=False)
    options.add_plugin(parser)


def execute(args: argparse.Namespace) -> int:
    """Write the report of every run, and of all runs together; or that of a sweep."""
    from bench.runs.sources import opened
    from bench.sweeps.sweep import is_sweep

    if bool(args.image) != bool(args.mask):
        raise UserError("object removal needs both --image and --mask")
    sweep = next(filter(is_sweep, args.sources), None)
    if sweep:
        if len(args.sources) > 1 or args.out or args.image:
            raise UserError(
                f"{sweep} is a sweep, whose report lies there: leave out other sources, --out and "
                "--image, or name the folder of its runs"
            )
        return sweep_report.write(sweep)
    out = args.out or Path("runs")
    with opened(args.sources or [out]) as sources:
        return _report(args, sources, out / "report")


def _report(args: argparse.Namespace, sources: Sequence[Source], out: Path) -> int:
    from bench.runs.sources import merged
    from reports import build

    readable, damaged = merged(sources)
    finished, unpictured = _pictured(readable)
    left_out = [*damaged, *unpictured]
    if not finished:
        raise UserError("; ".join(left_out))
    if args.image:
        from bench.inpainting.batch import Batch
        from bench.inpainting.jobs import Job

        shown, job, batch = _to_fill(finished), Job(args.image, args.mask), Batch(args.polarity, 0)
        batch.read(job)  # what is wrong with it is told before the report is made
    unpacked = {run for source in sources if source.packed for run in source.runs}
    for run in finished:
        if run not in unpacked:  # the folder of an unpacked run goes at the end
            build.run_report(run)
    print(f"{build.everything(finished, out)}\ntables and plots: {out}")
    if args.image:
        print(f"object removal: {_remove_object(job, batch, shown, out / 'removal')}")
        for line in batch.told():
            print(line)
    for text in left_out:
        print(f"left out: {text}", file=sys.stderr)
    return 2 if left_out else 0


def _pictured(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """Make pictures again that are missing or damaged; return the runs, and those left out."""
    kept, left_out = [], []
    for run in runs:
        try:
            pictures.restore(run)
        except UserError as error:
            left_out.append(f"{run.name}: {error}")
        else:
            kept.append(run)
    return kept, left_out


def _to_fill(runs: Sequence[Run]) -> list[Run]:
    """Return a run of each method, which stands for all seeds; it must have its weights.

    It is the first that holds weights of its own, else the first. Outputs from a folder fill
    nothing else, and a run does not hold the file of a model: who they are is told.
    """
    from bench.core.origin import model_file
    from bench.runs.experiment import load_run
    from bench.runs.weights import file_of

    of_method: dict[str, list[Run]] = {}
    elsewhere = [run for run in runs if run.outputs or model_file(run)]
    for run in runs:
        if run not in elsewhere:
            load_run(run)  # a method that is not known here is told before the report is made
            of_method.setdefault(run.method, []).append(run)
    if elsewhere:
        names = ", ".join(sorted({run.method for run in elsewhere}))
        print(f"object removal leaves out what was made elsewhere: {names}", file=sys.stderr)
    chosen = [next((r for r in own if r.weights.exists()), own[0]) for own in of_method.values()]
    for run in chosen:
        if run.trained and not file_of(run).exists():
            raise UserError(f"{run.name} has no weights to fill --image; use `pack --weights`")
    return chosen


def _remove_object(job: Job, batch: Batch, runs: Sequence[Run], out: Path) -> Path:
    """Fill the user's picture by these runs (Fig. 6), and return the figure."""
    from bench.core.device import choose, tune_cpu

    tune_cpu()
    import numpy as np

    from bench.evaluation.picture import Filler
    from bench.inpainting import sheet
    from bench.runs.experiment import load_run, network_of
    from reports.figures import removal

    read, filled = batch.read(job), {}
    for run in runs:
        method, config = load_run(run)
        filled[method.name] = out / f"{method.name}.png"
        filler = Filler(network_of(method, config, run), choose("auto"))
        batch.finish(job, read, filler, filled[method.name])
    holed = batch.holed(job)
    with replacing(out / "input.png") as temporary:
        holed.save(temporary)
    pictures = {"input": holed} | sheet.read(filled)
    removal({name: np.asarray(each) for name, each in pictures.items()}, out / "removal.png")
    return out / "removal.png"
