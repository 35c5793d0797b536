"""Export the test pairs for programs elsewhere, or look at them."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli import options
from bench.cli.arguments import Parser, whole_number
from bench.config import flag_of
from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.data.pairs import FrozenPairs

EXAMPLES = """examples:
  python -m bench pairs export --to pairs --test-images folder:PHOTOS
  python -m bench pairs export --to pairs --manifest runs/forward-quick-seed0/manifest.json
  python -m bench pairs show --to pairs.png --preset small
"""
NOT_REPEATED = ("pairs", "validation_pairs", "ratio", "manifest", "cache", "rehash")
"""Options of an export that the command which measures its outputs does not need."""

HOLE = (255, 0, 255)
"""Colour of the holes in a contact sheet: magenta, since many a sky is white."""


def add_options(parser: Parser) -> None:
    """Add the two actions with their options."""
    parser.epilog = EXAMPLES
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")

    summary = "Write holed images, masks and manifest as folders that other programs read"
    export_options = actions.add_parser("export", help=summary, description=summary)
    export_options.set_defaults(execute=export, parser=export_options)
    export_options.add_argument(
        "--to", type=Path, required=True, help="new or empty folder, or one of an earlier export"
    )
    export_options.add_argument("--truth", action="store_true", help="add the whole images")
    export_options.add_argument(
        "--hole",
        choices=("white", "black"),
        default="white",
        help="colour of the hole in the masks (default: white, as LaMa and IOPaint read them)",
    )
    export_options.add_argument(
        "--layout",
        choices=("folders", "lama"),
        default="folders",
        help="folders: images/ and masks/, for IOPaint; lama: both in one folder, for LaMa's "
        "predict.py (default: folders)",
    )
    _add_data(export_options, "--truth", "--hole", "--layout")

    summary = "Draw a contact sheet of holed images with number, hole ratio and bucket"
    show_options = actions.add_parser("show", help=summary, description=summary)
    show_options.set_defaults(execute=show, parser=show_options)
    show_options.add_argument(
        "--to", type=Path, required=True, help="picture to write, such as .png"
    )
    show_options.add_argument(
        "--per-bucket",
        type=whole_number(1, 100),
        default=8,
        help="most pairs of each mask-ratio bucket (default: 8)",
    )
    _add_data(show_options, "--per-bucket")


def execute(args: argparse.Namespace) -> int:
    """Do nothing by itself: argparse wants one of the actions."""
    raise AssertionError("argparse calls an action")


def export(args: argparse.Namespace) -> int:
    """Write the folder; say what is in it and which file tells more."""
    from bench.data import export as exports

    form = exports.Form(args.layout, args.hole, args.truth)
    exports.check_place(args.to)
    replaced = args.to.exists() and any(args.to.iterdir())
    pairs = _pairs(args)
    exports.export(pairs, args.to, form, _measure(args))
    print(
        f"{len(pairs)} test pairs, manifest {pairs.manifest.hash} -> {args.to}"
        f"{' (replaced)' if replaced else ''}\n"
        f"which programs read them, and how to measure outputs: {args.to / exports.README}"
    )
    return 0


def show(args: argparse.Namespace) -> int:
    """Draw the contact sheet."""
    if args.to.suffix.lower() != ".png":
        raise UserError(f"--to {args.to}: a contact sheet is a PNG picture; use .png")
    import torch

    from bench.networks.holes import composite
    from reports import figures

    pairs = _pairs(args)
    chosen = pairs.manifest.sample(args.per_bucket)
    colour = torch.tensor(HOLE, dtype=torch.uint8)[:, None, None]
    rows: dict[str, list[figures.Shown]] = {}
    for number in chosen:
        pair = pairs.manifest.pairs[number]
        caption = f"{number}: {pair.ratio:.1%}\n{pair.bucket}"
        image, mask = pairs.batch([number])
        holed = composite(colour.expand_as(image), image, mask)[0]
        rows.setdefault(pair.bucket, []).append((holed.permute(1, 2, 0).numpy(), caption))
    figures.sheet(rows, args.to)
    print(f"{len(chosen)} of {len(pairs)} test pairs -> {args.to}")
    return 0


def _add_data(parser: Parser, *first: str) -> None:
    """Add the options of the data; the short help shows those in `first` as well."""
    options.add_config(parser, only=("data",))
    parser.first = ("--to", *first, *options.FIRST, "--manifest")


def _pairs(args: argparse.Namespace) -> FrozenPairs:
    """Return the test pairs that the options name."""
    from bench.runs.experiment import inputs_of

    return inputs_of(options.config(args), args.out).test


def _measure(args: argparse.Namespace) -> str:
    """Return the command that measures outputs for the exported pairs, with the same data."""
    words = ["python", "-m", "bench", "evaluate", "--outputs", "OUTPUTS", "--name", "NAME"]
    words += ["--preset", args.preset, "--manifest", str(args.to / "pairs.json")]
    for name, value in options.given(args).items():
        if name not in NOT_REPEATED:
            words += [flag_of(name), *map(str, value if isinstance(value, tuple) else [value])]
    return shlex.join(words)
