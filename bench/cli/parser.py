"""The parser of `python -m bench COMMAND`, its help and its errors."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Collection, Sequence
from typing import Any, NoReturn, Protocol

from bench import __version__
from bench.cli import (
    ablate,
    check,
    compare,
    evaluate,
    inpaint,
    list_methods,
    report,
    run,
    speed,
    study,
)
from bench.core.errors import UserError, unknown


class Command(Protocol):
    """A module of `bench.cli` that is a command."""

    __doc__: str | None

    def add_options(self, parser: Parser) -> None:
        """Add the command's options, and set its usage line and examples."""

    def execute(self, args: argparse.Namespace) -> int:
        """Do the work and return the exit code: 0 for success."""


COMMANDS: dict[str, dict[str, Command]] = {
    "train": {"run": run, "ablate": ablate, "compare": compare},
    "measure": {"evaluate": evaluate, "report": report},
    "look": {"list": list_methods, "inpaint": inpaint, "study": study},
    "keep house": {"check": check, "speed": speed},
}
"""The commands by purpose, as `--help` groups them."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are `UserError`s and whose help may have a short form.

    `first` names the options of the short form, which `--help` prints; `--help-all` prints all.
    """

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**settings, allow_abbrev=False)
        self.first: Collection[str] = ()

    def shorten_help(self, first: Collection[str]) -> None:
        """Show only the named options in `--help`, and add `--help-all`."""
        self.first = first
        self.add_argument("--help-all", action=_HelpAll, help="show all options")

    def format_help(self) -> str:
        """Return the help, in its short form if there is one."""
        return self.format_short_help() if self.first else super().format_help()

    def format_short_help(self) -> str:
        """Return the help of the first options alone."""
        options = [a for a in self._actions if a.help != argparse.SUPPRESS]
        shown = {"-h", "--help-all", *self.first}
        hidden = [a for a in options if shown.isdisjoint(a.option_strings)]
        kept = [(a, a.help) for a in hidden]
        for action in hidden:
            action.help = argparse.SUPPRESS
        descriptions = [(group, group.description) for group in self._action_groups]
        for group, _ in descriptions:
            group.description = None  # or a group without shown options keeps its title
        text = super().format_help()
        for action, words in kept:
            action.help = words
        for group, description in descriptions:
            group.description = description
        return f"{text}\n{len(hidden)} more options: --help-all\n"

    def format_full_help(self) -> str:
        """Return the help of all options."""
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Raise a `UserError` instead of printing the usage and leaving."""
        raise UserError(f"{message}; see `{self.prog} --help`")


class _HelpAll(argparse.Action):
    """Prints the help of all options and leaves."""

    def __init__(self, option_strings: Sequence[str], dest: str, **settings: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, **settings)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        assert isinstance(parser, Parser)
        print(parser.format_full_help(), end="")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 is success, 1 a check that failed, 2 a mistake in the input, 130 an interruption.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("bench").setLevel(logging.INFO)
    try:
        args = _parse(sys.argv[1:] if argv is None else list(argv))
        code: int = args.execute(args)
        return code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; the same command continues from the last checkpoint", file=sys.stderr)
        return 130


def build_parser() -> tuple[Parser, dict[str, Parser]]:
    """Return the parser, and those of its commands by name."""
    parser = Parser(
        prog="python -m bench",
        usage="%(prog)s COMMAND [options]",
        description=f"Ablation studies of image inpainting.\n\n{_groups()}",
        epilog="`python -m bench COMMAND --help` tells more about a command.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(
        required=True, metavar="COMMAND", help=argparse.SUPPRESS, prog="python -m bench"
    )
    parsers: dict[str, Parser] = {}
    for commands in COMMANDS.values():
        for name, module in commands.items():
            parsers[name] = subparsers.add_parser(name, description=summary(module))
            parsers[name].set_defaults(execute=module.execute, parser=parsers[name])
            module.add_options(parsers[name])
    return parser, parsers


def summary(command: Command) -> str:
    """Return the first line of a command's docstring, without its full stop."""
    return (command.__doc__ or "").partition("\n")[0].rstrip(".")


def _groups() -> str:
    """Return the commands by purpose, a line each."""
    blocks = []
    for title, commands in COMMANDS.items():
        rows = [f"  {name:10}{summary(module)}" for name, module in commands.items()]
        blocks.append("\n".join([f"{title}:", *rows]))
    return "\n\n".join(blocks)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser, parsers = build_parser()
    if argv and not argv[0].startswith("-") and argv[0] not in parsers:
        raise unknown("command", argv[0], parsers)
    args, extra = parser.parse_known_args(argv)
    for word in extra:
        if not word.startswith("-"):
            raise UserError(f"unexpected word '{word}'; see `{args.parser.prog} --help`")
        known = [s for a in args.parser._actions for s in a.option_strings]
        raise unknown("option", word.partition("=")[0], known)
    return args
