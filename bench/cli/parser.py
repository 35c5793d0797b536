"""The command line: `python -m bench COMMAND`, its options and its errors."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from bench import __version__
from bench.cli import commands
from bench.config import Model, sections
from bench.core.errors import UserError, unknown
from bench.presets import PRESET_HELP, PRESETS
from bench.registry import Family

Command = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are `UserError`s."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise UserError(f"{message}; see `{self.prog} --help`")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 for a mistake in the input, 130 when interrupted."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("bench").setLevel(logging.INFO)
    try:
        args = _parse(sys.argv[1:] if argv is None else list(argv))
        code: int = args.command(args)
        return code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130


def _parse(argv: list[str]) -> argparse.Namespace:
    parser, parsers = build_parser()
    if argv and not argv[0].startswith("-") and argv[0] not in parsers:
        raise unknown("command", argv[0], parsers)
    args, extra = parser.parse_known_args(argv)
    if extra:
        known = [s for a in args.parser._actions for s in a.option_strings]
        raise unknown("option", extra[0].partition("=")[0], known)
    return args


def build_parser() -> tuple[Parser, dict[str, Parser]]:
    """The parser, and those of its commands by name."""
    parser = Parser(
        prog="python -m bench",
        description="Ablation studies of LBAM image inpainting: train, evaluate, compare.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    parsers: dict[str, Parser] = {}

    def command(name: str, work: Command) -> Parser:
        parsers[name] = _command(subparsers, name, work)
        return parsers[name]

    command("list", commands.list_methods)

    run = command("run", commands.run)
    run.usage = "%(prog)s (--variant NAME | --baseline NAME) [options]"
    _add_method(run.add_mutually_exclusive_group(required=True), "")
    ablate = command("ablate", commands.ablate)
    ablate.usage = "%(prog)s [options]"
    ablate.add_argument("--variants", help="comma-separated names; default: all of them")
    compare = command("compare", commands.compare)
    compare.usage = "%(prog)s [options]"
    compare.add_argument(
        "--methods", help="comma-separated names; default: full and all the baselines"
    )
    for sub in (run, ablate, compare):
        sub.add_argument("--redo", action="store_true", help="replace runs that are there")
        _add_config(sub)

    evaluate = command("evaluate", commands.evaluate)
    _add_weights(evaluate)
    _add_config(evaluate, only=("data", "model", "evaluation"))
    evaluate.add_argument("--device", choices=("auto", "cpu"), default="auto", help="where to run")

    report = command("report", commands.report)
    _add_out(report)
    _add_picture(report, required=False)

    inpaint = command("inpaint", commands.inpaint)
    _add_weights(inpaint)
    _add_picture(inpaint, required=True)
    inpaint.add_argument("--out", required=True, type=Path, help="where to save the filled picture")
    inpaint.add_argument("--device", choices=("auto", "cpu"), default="auto", help="where to run")
    for name in ("width", "depth"):
        _add_field(inpaint, Model, name)
    inpaint.add_argument("--preset", default="paper", choices=list(PRESETS),
                         help="whose width and depth --weights have (default: paper)")  # fmt: skip

    parsers["study"] = _add_study(subparsers)

    speed = command("speed", commands.speed)
    speed.add_argument("--repeats", type=int, default=5, help="timed runs per row (default: 5)")
    speed.add_argument("--only", help="comma-separated sections (default: all)")
    return parser, parsers


def _command(subparsers: argparse._SubParsersAction[Parser], name: str, work: Command) -> Parser:
    what = (work.__doc__ or "").strip().rstrip(".")
    help = what[:1].lower() + what[1:]
    parser = subparsers.add_parser(name, help=help, description=help, allow_abbrev=False)
    parser.set_defaults(command=work, parser=parser)
    return parser


def _add_study(subparsers: argparse._SubParsersAction[Parser]) -> Parser:
    help = "user study: make a blind voting page, count the votes"
    study = subparsers.add_parser("study", help=help, description=help, allow_abbrev=False)
    actions = study.add_subparsers(title="actions", required=True, metavar="ACTION")

    make = _command(actions, "make", commands.study_make)
    make.add_argument("--out", type=Path, nargs="+", default=[Path("runs")],
                      help="folders of runs, or runs themselves (default: runs)")  # fmt: skip
    make.add_argument("--methods", help="comma-separated names; default: all that have pictures")
    make.add_argument("--questions", type=int, default=30, help="how many (default: 30)")
    make.add_argument(
        "--seed", type=int, help="of pairs and orders; default: a secret one is drawn"
    )
    make.add_argument("--to", type=Path, default=Path("runs/study"),
                      help="folder of the page and its key (default: runs/study)")  # fmt: skip

    count = _command(actions, "count", commands.study_count)
    count.add_argument("--ballots", type=Path, nargs="+", required=True,
                       help="the voters' files, or a folder of them")  # fmt: skip
    count.add_argument("--key", type=Path, default=Path("runs/study/key.json"),
                       help="the page's key (default: runs/study/key.json)")  # fmt: skip
    return study


def _add_config(parser: Parser, only: Sequence[str] | None = None) -> None:
    """Options for every field of the config, and what they start from."""
    listing = "; ".join(f"{name}: {text}" for name, text in PRESET_HELP.items())
    parser.add_argument("--preset", default="quick", help=f"{listing} (default: quick)")
    _add_out(parser)
    for section, kind in sections():
        if only is None or section in only:
            group = parser.add_argument_group(section, (kind.__doc__ or "").partition("\n")[0])
            for item in dataclasses.fields(kind):
                _add_field(group, kind, item.name)


def _add_field(parser: argparse._ActionsContainer, kind: type, name: str) -> None:
    item = next(f for f in dataclasses.fields(kind) if f.name == name)
    parser.add_argument(
        f"--{name.replace('_', '-')}",
        dest=f"set_{name}",
        default=argparse.SUPPRESS,
        help=item.metadata["help"].replace("%", "%%"),
        **_argument(get_type_hints(kind)[name]),
    )


def _argument(hint: Any) -> dict[str, Any]:
    """What argparse needs to know of a field's type."""
    if get_origin(hint) is Literal:
        return {"choices": [str(c) for c in get_args(hint)]}
    if get_origin(hint) is tuple:
        return {"nargs": len(get_args(hint)), "type": get_args(hint)[0], "metavar": "X"}
    if hint is bool:
        return {"type": _boolean, "metavar": "true|false"}
    return {"type": hint, "metavar": hint.__name__.upper()}


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"'{text}' is neither true nor false")
    return text.lower() == "true"


def _add_out(parser: Parser) -> None:
    parser.add_argument(
        "--out", type=Path, default=Path("runs"), help="folder of runs (default: runs)"
    )


def _add_method(parser: argparse._ActionsContainer, when: str) -> None:
    for family in get_args(Family):
        parser.add_argument(
            f"--{family}", metavar="NAME", help=f"{when}name of the {family} (see list)"
        )


def _add_picture(parser: Parser, required: bool) -> None:
    why = "" if required else "; the report then shows it filled by every run"
    parser.add_argument("--image", required=required, type=Path, help=f"a picture{why}")
    parser.add_argument("--mask", required=required, type=Path, help="its mask, of the same size")
    parser.add_argument("--polarity", choices=("hole-white", "hole-black"), default="hole-white",
                        help="what the hole is in the mask (default: hole-white)")  # fmt: skip


def _add_weights(parser: Parser) -> None:
    parser.add_argument("--run", type=Path, help="folder of a trained run")
    _add_method(parser.add_mutually_exclusive_group(), "without --run: ")
    parser.add_argument(
        "--weights",
        type=Path,
        help="weights file (safetensors or torch); with --run: of one of its checkpoints",
    )
