"""An argument parser whose help may have a short form and whose complaints are one line."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn

from bench.core.bounds import Bounds
from bench.core.errors import UserError


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

    def refuse_repeated(self, words: Sequence[str]) -> None:
        """Raise a `UserError` for an option that names one thing and stands there twice.

        Who types two names may expect both. Of numbers and choices the last one counts.
        """
        of_names = [
            flag
            for action in self._actions
            if isinstance(action, argparse._StoreAction) and action.nargs is None
            if action.choices is None and action.type in (None, str, Path)
            for flag in action.option_strings
        ]
        typed = Counter(word.partition("=")[0] for word in words)
        for flag in of_names:
            if typed[flag] > 1:
                self.error(f"{flag} is given {typed[flag]} times; give it once")

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


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return the `type` of an argument that is a whole number within bounds."""
    bounds = Bounds(least, most)

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is no whole number") from None
        if value not in bounds:
            raise argparse.ArgumentTypeError(f"{value} must be {bounds}")
        return value

    return convert
