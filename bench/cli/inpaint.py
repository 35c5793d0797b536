"""Fill the holes of one picture of any size."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.cli import methods, options
from bench.cli.arguments import Parser
from bench.core.errors import UserError

EXAMPLES = """examples:
  python -m bench inpaint --run runs/forward-quick-seed0 --image i.png --mask m.png --out o.png
  python -m bench inpaint --baseline patchmatch --image i.png --mask m.png --out o.png
"""


def add_options(parser: Parser) -> None:
    """Add the weights, the picture, and the size of a network whose weights are a mere file."""
    from bench.config import Model
    from bench.presets import PRESETS

    parser.usage = "%(prog)s (--run DIR | --baseline NAME | --weights FILE ...) [options]"
    parser.epilog = EXAMPLES
    options.add_weights(parser)
    options.add_picture(parser, required=True)
    parser.add_argument("--out", required=True, type=Path, help="where to save the filled picture")
    options.add_device(parser)
    options.add_plugin(parser)
    for name in ("width", "depth"):
        options.add_field(parser, Model, name)
    help = "preset that --weights were trained with (default: paper)"
    parser.add_argument("--preset", choices=list(PRESETS), help=help)


def execute(args: argparse.Namespace) -> int:
    """Fill the picture and save it."""
    from bench.config import override
    from bench.presets import preset
    from bench.registry import Algorithm

    if args.run and args.preset:
        raise UserError(
            f"--preset has no effect with --run: {args.run} knows its own; leave it out"
        )
    start = override(preset(args.preset or "paper"), options.given(args))
    method = methods.chosen(args)
    file: Path | None = None
    if isinstance(method, Algorithm):
        config = start
    else:
        method, config, file = methods.weights(args, start)
    from bench.core.device import choose, tune_cpu

    tune_cpu()
    from bench.evaluation import picture
    from bench.runs.experiment import load_network

    image, mask = picture.read(args.image, args.mask, args.polarity)
    network = load_network(method, config, file) if file else method.build(config.model)
    picture.save(args.out, picture.fill_picture(network, image, mask, choose(args.device)))
    print(f"filled {args.image} -> {args.out}")
    return 0
