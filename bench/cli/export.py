"""Export a trained run as a folder that others load."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.cli import methods, options
from bench.cli.arguments import Parser
from bench.core.errors import unknown

EXAMPLES = """examples:
  python -m bench export --run runs/forward-quick-seed0 --to forward
  python -m bench export --run runs/forward-quick-seed0 --to forward --format onnx,pt2

The folder holds model.safetensors, config.json and README.md, a model card, and has the layout of
a Hugging Face model repository. Exported formats take batches and sides of any size from 16 up,
blank the hole themselves and return the filled image.
"""


def add_options(parser: Parser) -> None:
    """Add the run, the folder to write and the formats next to the weights."""
    parser.usage, parser.epilog = "%(prog)s --run DIR --to DIR [options]", EXAMPLES
    parser.add_argument("--run", required=True, type=Path, help="folder of a finished, trained run")
    parser.add_argument("--to", required=True, type=Path, help="folder to write: new, or empty")
    options.add_plugin(parser)
    parser.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="NAME",
        help="also write the whole model as onnx, torchscript or pt2; several times, or "
        "comma-separated",
    )


def execute(args: argparse.Namespace) -> int:
    """Write the folder, and print what lies in it."""
    from bench.exporting import folder
    from bench.runs.run import Run

    run = Run(args.run)
    folder.check(run, args.to)
    formats = _formats(args.format)
    from reports import build

    differences = folder.export(run, args.to, formats, build.run_text(run))
    for name, difference in differences.items():
        print(f"{name}: agrees with the network, largest difference {difference:.1e}")
    for file in sorted(args.to.iterdir()):
        print(f"{file} ({file.stat().st_size / 2**20:.1f} MiB)")
    return 0


def _formats(given: list[str]) -> list[str]:
    """Return the formats of all `--format`, each once."""
    from bench.exporting.formats import FORMATS, check_packages

    names = [name for text in given for name in methods.names_in(text, "--format")]
    for name in names:
        if name not in FORMATS:
            raise unknown("format", name, FORMATS)
    check_packages(names)
    return list(dict.fromkeys(names))
