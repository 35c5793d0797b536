"""Show the methods: what each is, how it differs, its parameters."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.cli.parser import Parser


def add_options(parser: Parser) -> None:
    """Add nothing: the list is always the whole list."""


def execute(args: argparse.Namespace) -> int:
    """Print a table of all methods."""
    from bench.config import Model
    from bench.registry import discover
    from reports.tables.methods import method_list

    print(method_list(discover().values(), Model()))
    return 0
