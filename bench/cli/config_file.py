"""Options from a file, `--config FILE`: words before those of the command line, which win."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cli.arguments import Parser
from bench.cli.methods import in_text
from bench.config import flag_of
from bench.core.errors import UserError, unknown

if TYPE_CHECKING:
    from bench.sweeps.file import Description

NOT_IN_FILES = ("--help", "--help-all", "--config")


def add_config_file(parser: Parser) -> None:
    """Add --config."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML file with options by their names, and what varies in a sweep; options of the "
        "command line win over it",
    )


def described(args: argparse.Namespace) -> Description | None:
    """Return what the file of --config says, if one is given."""
    if getattr(args, "config", None) is None:
        return None
    from bench.sweeps.file import read

    return read(args.config)


def words(found: Description, args: argparse.Namespace) -> list[str]:
    """Return the options of a file as words of the command line; a wrong one is a `UserError`."""
    parser: Parser = args.parser
    try:
        given = [word for item in found.options.items() for word in _words(parser, *item)]
        parser.parse_known_args(given)
    except UserError as error:
        raise UserError(f"{args.config}: {error}") from error
    return given


def _words(parser: Parser, option: str, value: Any) -> Iterator[str]:
    """Yield the words of one option."""
    flag = flag_of(option)
    actions = {flag: action for action in parser._actions for flag in action.option_strings}
    if flag not in actions or flag in NOT_IN_FILES:
        known = actions.keys() - NOT_IN_FILES
        raise unknown("option", option, (name[2:] for name in known if name.startswith("--")))
    if actions[flag].nargs == 0:
        if not isinstance(value, bool):
            raise UserError(f"{option} is {value!r}; it must be true or false")
        yield from [flag] if value else []
    elif isinstance(value, list) and isinstance(actions[flag].nargs, int):
        yield from (flag, *map(str, value))
    elif isinstance(value, list) and isinstance(actions[flag], argparse._AppendAction):
        yield from (f"{flag}={_text(item)}" for item in value)
    else:
        text = in_text(map(_text, value)) if isinstance(value, list) else _text(value)
        yield f"{flag}={text}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
