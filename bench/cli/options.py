"""Options that several commands share; those of the config are derived from its dataclasses."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bench.cli.arguments import Parser
from bench.config import Config, Objective, flag_of, override, sections
from bench.presets import OBJECTIVES, PRESET_HELP, preset, with_objective
from bench.registry import Family

FIRST = (
    "--variant", "--baseline", "--variants", "--methods", "--run", "--weights", "--preset", "--out",
    "--images", "--test-images", "--masks", "--data-root", "--seed", "--seeds", "--steps",
    "--batch-size", "--device", "--redo", "--name", "--config", "--plugin",
    "--launcher", "--dry-run",
)  # fmt: skip
"""The options that people use first: those that the short help of a command shows."""
MODELS: dict[Family, str] = {
    "variant": "",
    "baseline": ", or onnx:FILE, torchscript:FILE or command:WORDS (see bench/foreign/README.md)",
}
"""Forms that the name of a method may have too, by its family."""


def add_config(parser: Parser, only: Sequence[str] | None = None) -> None:
    """Add --preset, --out and an option for every field of the config, or of some sections."""
    listing = "; ".join(f"{name}: {text}" for name, text in PRESET_HELP.items())
    parser.add_argument("--preset", default="quick", help=f"{listing} (default: quick)")
    add_out(parser)
    add_plugin(parser)
    for section, kind in sections():
        if only is None or section in only:
            group = parser.add_argument_group(section, (kind.__doc__ or "").partition("\n")[0])
            if kind is Objective:
                add_objective(group)
            for item in dataclasses.fields(kind):
                add_field(group, kind, item.name)
    parser.shorten_help(FIRST)


def add_objective(parser: argparse._ActionsContainer) -> None:
    """Add --objective, which sets many options of the objective; each may still be given."""
    parser.add_argument(
        "--objective",
        choices=OBJECTIVES,
        default="paper",
        help="paper: as the preset has it; released: the weights and choices of the released "
        "code, where the options below do not say otherwise (default: paper)",
    )


def add_field(parser: argparse._ActionsContainer, kind: type, name: str) -> None:
    """Add the option of one field of a config section; absent unless it is given."""
    item = next(f for f in dataclasses.fields(kind) if f.name == name)
    parser.add_argument(
        flag_of(name),
        dest=f"set_{name}",
        default=argparse.SUPPRESS,
        help=item.metadata["help"].replace("%", "%%"),
        **_argument(get_type_hints(kind)[name]),
    )


def given(args: argparse.Namespace) -> dict[str, Any]:
    """Return the config options that were given, by name."""
    found = {k.removeprefix("set_"): v for k, v in vars(args).items() if k.startswith("set_")}
    return {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}


def config(args: argparse.Namespace) -> Config:
    """Return the preset, with the objective and the options that were given."""
    from bench.evaluation.margins import margins

    start = with_objective(preset(args.preset), getattr(args, "objective", "paper"))
    chosen = override(start, given(args))
    margins(chosen.evaluation.margins)  # a wrong one is refused now, not after hours of training
    return chosen


def add_out(parser: Parser) -> None:
    """Add --out, the folder of runs."""
    parser.add_argument(
        "--out", type=Path, default=Path("runs"), help="folder of runs (default: runs)"
    )


def add_folder(parser: Parser, what: str = "folder of runs") -> None:
    """Add the argument FOLDER, a folder of runs."""
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=Path("runs"),
        metavar="FOLDER",
        help=f"{what} (default: runs)",
    )


def add_name(parser: Parser) -> None:
    """Add --name, which tells runs of one method, preset and seed apart."""
    parser.add_argument(
        "--name",
        default="",
        metavar="TAG",
        help="word in the names of the runs, for those that differ in an option",
    )


def add_plugin(parser: Parser) -> None:
    """Add --plugin, a file that defines methods of one's own."""
    parser.add_argument(
        "--plugin",
        type=Path,
        action="append",
        default=[],
        metavar="FILE.py",
        help="file that defines methods as a file in baselines/ does; may be given several times",
    )


def add_device(parser: Parser) -> None:
    """Add --device, for commands without the training options."""
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto", help="where to run")


def add_method(parser: argparse._ActionsContainer) -> None:
    """Add an option for each family of methods, of which one names the method."""
    for family in get_args(Family):
        help = f"name of the {family} (see list){MODELS[family]}"
        parser.add_argument(f"--{family}", metavar="NAME", help=help)


def add_methods(parser: Parser) -> None:
    """Add the options that name runs, and methods of each family, as many as one likes."""
    parser.add_argument(
        "--run",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="folders of finished runs; may be given several times",
    )
    for family in get_args(Family):
        parser.add_argument(
            f"--{family}",
            nargs="+",
            action="extend",
            default=[],
            metavar="NAME",
            help=f"names of {family}s (see list){MODELS[family]}; one that is trained needs "
            "--weights; may be given several times",
        )


def add_picture(parser: Parser, required: bool) -> None:
    """Add the options that name a picture to fill."""
    pictures, masks = ", or a folder of pictures", ", or a folder of masks named like the pictures"
    if not required:
        pictures, masks = "; the report then shows it filled by every run", ""
    parser.add_argument("--image", required=required, type=Path, help=f"a picture{pictures}")
    parser.add_argument(
        "--mask", required=required, type=Path, help=f"its mask, of the same size{masks}"
    )
    parser.add_argument("--polarity", choices=("hole-white", "hole-black"), default="hole-white",
                        help="colour of the hole in the mask (default: hole-white)")  # fmt: skip


def _argument(hint: Any) -> dict[str, Any]:
    """Return argparse's settings for a field's type."""
    if get_origin(hint) is Literal:
        return {"choices": [str(c) for c in get_args(hint)]}
    if get_origin(hint) is tuple:
        return {"nargs": len(get_args(hint)), "type": get_args(hint)[0], "metavar": "X"}
    if hint is bool:
        # `--rehash` alone means true.
        return {"type": _boolean, "metavar": "true|false", "nargs": "?", "const": True}
    return {"type": hint, "metavar": hint.__name__.upper()}


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"'{text}' is neither true nor false")
    return text.lower() == "true"
