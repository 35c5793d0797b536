"""Fill the holes of pictures of any size, by one method or several."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli import fillers, options
from bench.cli.arguments import Parser, whole_number
from bench.cli.fillers import Source
from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.evaluation.picture import Filler
    from bench.inpainting.batch import Batch
    from bench.inpainting.jobs import Job

EXAMPLES = """examples:
  python -m bench inpaint --run runs/forward-quick-seed0 --image i.png --mask m.png --out o.png
  python -m bench inpaint --baseline patchmatch --image i.png --mask m.png --out o.png
  python -m bench inpaint --baseline patchmatch --image PHOTOS --mask MASKS --out filled
  python -m bench inpaint --baseline telea --baseline patchmatch --image DIR --mask DIR --out OUT

Of a folder, NAME.jpg is filled where the mask NAME.png is white, and saved as OUT/NAME.png. Several
methods save OUT/METHOD/NAME.png, and OUT/sheets/NAME.png shows them side by side. Pictures that are
finished are skipped. One that is broken is told and the others go on, with exit code 2 at the end.

Up to 512x512 pixels a picture is filled as a whole, a larger one in crops: holes with 96 pixels
around them. Holes of more than 320 pixels are filled in tiles if they are thin, and else at a lower
resolution. Pictures are saved upright, with 8 bits a channel; alpha, grey and ICC profile are kept,
and no other notes of the camera. OUT/inpaint.json says what filled them.
"""
SHEETS = "sheets"
"""Folder of the contact sheets."""


def add_options(parser: Parser) -> None:
    """Add the methods, the pictures, and the size of a network whose weights are a mere file."""
    from bench.config import Model
    from bench.presets import PRESETS

    parser.usage = (
        "%(prog)s (--run DIR ... | --baseline NAME ... | --variant NAME --weights FILE) "
        "--image PATH --mask PATH --out PATH [options]"
    )
    parser.epilog = EXAMPLES
    fillers.add_options(parser)
    options.add_picture(parser, required=True)
    parser.add_argument(
        "--dilate",
        type=whole_number(0, 1000),
        default=0,
        metavar="N",
        help="pixels of the picture by which holes are grown, such as 3 for a mask that cuts close "
        "(default: 0)",
    )
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        help="where to save the filled picture; a folder, for several pictures or methods",
    )
    parser.add_argument(
        "--redo", action="store_true", help="in a folder: fill again what is finished"
    )
    options.add_device(parser)
    options.add_plugin(parser)
    parser.add_argument(
        "--compile",
        choices=("auto", "on", "off"),
        default="auto",
        help="compile the network for the size that most pictures have, which takes a minute and "
        f"needs a C++ compiler; auto: from {fillers.MANY} pictures of one size on (default: auto)",
    )
    for name in ("width", "depth"):
        options.add_field(parser, Model, name)
    help = "preset that --weights were trained with (default: paper)"
    parser.add_argument("--preset", choices=list(PRESETS), help=help)


def execute(args: argparse.Namespace) -> int:
    """Fill the pictures and save them."""
    if args.run and args.preset:
        raise UserError(
            f"--preset has no effect with --run: {args.run[0]} knows its own; leave it out"
        )
    _check_paths(args)
    sources = fillers.chosen(args)
    from bench.core.device import tune_cpu

    tune_cpu()
    from bench.inpainting.batch import Batch

    batch = Batch(args.polarity, args.dilate)
    if args.image.is_dir() or len(sources) > 1:
        _fill_folder(args, sources, batch)
    else:
        _fill_file(args, sources[0], batch)
    return 0


def _check_paths(args: argparse.Namespace) -> None:
    """Refuse a folder where a file must be, and results among the inputs."""
    if args.mask.is_dir() and not args.image.is_dir():
        raise UserError(f"--mask {args.mask} is a folder; then --image must be one too")
    inputs = {path.resolve() for path in (args.image, args.mask) if path.is_dir()}
    if args.out.resolve() in inputs:
        raise UserError(f"--out {args.out}: results would lie among the inputs; use another folder")


def _fill_file(args: argparse.Namespace, source: Source, batch: Batch) -> None:
    """Fill one picture by one method."""
    from bench.inpainting import photograph
    from bench.inpainting.jobs import Job

    photograph.check_format(args.out)
    job = Job(args.image, args.mask)
    read = batch.read(job)  # what is wrong with it is told before a network is loaded
    batch.finish(job, read, _filler(source, [job], args), args.out)
    _tell(batch)
    print(f"filled {args.image} -> {args.out}")


def _fill_folder(args: argparse.Namespace, sources: Sequence[Source], batch: Batch) -> None:
    """Fill all pictures by all methods, and draw them side by side if there are several."""
    from bench.data.images.decode import SUFFIXES
    from bench.inpainting import jobs

    if args.out.suffix.lower() in SUFFIXES:
        raise UserError(f"--out {args.out} is no name of a folder, which several results need")
    found = [jobs.Job(args.image, args.mask)]
    if args.image.is_dir():
        found = jobs.find(args.image, args.mask)
    several = len(sources) > 1
    folders = {s.name: args.out / s.name if several else args.out for s in sources}
    left = _begin(found, sources, folders, args)
    for source in sources:
        _fill_by(source, left[source.name], folders[source.name], batch, args)
    if several:
        _draw_sheets(found, folders, batch, args.out / SHEETS)
    _tell(batch)
    _conclude(found, left, batch, args.out)


def _begin(
    found: Sequence[Job],
    sources: Sequence[Source],
    folders: Mapping[str, Path],
    args: argparse.Namespace,
) -> dict[str, list[Job]]:
    """Return what is left to do for each method; nothing is written before all can be done."""
    from bench.inpainting import jobs

    own = {"polarity": args.polarity, "dilate": args.dilate}
    settings = {source.name: source.facts() | own for source in sources}
    if not args.redo:
        for name, folder in folders.items():
            jobs.refuse_others(found, folder, settings[name])
    return {
        name: jobs.begin(found, folder, settings[name], args.redo)
        for name, folder in folders.items()
    }


def _conclude(
    found: Sequence[Job], left: Mapping[str, Sequence[Job]], batch: Batch, out: Path
) -> None:
    """Print how many pictures are filled; those that are not are a `UserError`."""
    from bench.inpainting.jobs import listed

    number, failed = len(found), len(batch.problems)
    before = number - len(set().union(*left.values()))
    skipped = f", {before} of them before (--redo fills them again)" if before else ""
    print(f"{number - failed} of {number} pictures are filled{skipped} -> {out}")
    if failed:
        names = listed([job.image.name for job in batch.problems])
        raise UserError(f"{failed} of {number} pictures not filled: {names}")


def _fill_by(
    source: Source, left: Sequence[Job], folder: Path, batch: Batch, args: argparse.Namespace
) -> None:
    """Fill pictures by one method, whose network leaves the memory at the end."""
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    if not left:
        return
    filler = _filler(source, left, args)
    with logging_redirect_tqdm():
        for job in tqdm(left, desc=f"inpaint {source.name}", unit="img"):
            batch.fill(job, filler, folder / job.name)


def _filler(source: Source, left: Sequence[Job], args: argparse.Namespace) -> Filler:
    """Return a method ready to fill."""
    from bench.core.device import choose
    from bench.evaluation.picture import Filler

    filler = Filler(source.network(), choose(args.device))
    fillers.compile_for(filler, left, args.compile)
    return filler


def _draw_sheets(
    found: Sequence[Job], folders: Mapping[str, Path], batch: Batch, out: Path
) -> None:
    """Draw the contact sheets of all pictures but those that show what is there."""
    from tqdm import tqdm

    from bench.inpainting import sheet

    for job in tqdm(found, desc="draw sheets", unit="img", delay=2):
        results = {name: folder / job.name for name, folder in folders.items()}
        if job not in batch.problems and not sheet.is_newer(out / job.name, results):
            sheet.draw({"input": batch.holed(job)} | sheet.read(results), out / job.name)


def _tell(batch: Batch) -> None:
    """Print what is to be told of the pictures."""
    for line in batch.told():
        print(line)
