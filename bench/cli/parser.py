"""The parser of `python -m bench COMMAND`, its help and its errors."""

from __future__ import annotations

import argparse
import io
import logging
import os
import select
import sys
from collections.abc import Sequence
from typing import Protocol

from bench import __version__
from bench.cli import (
    ablate,
    check,
    clean,
    compare,
    config_file,
    evaluate,
    export,
    inpaint,
    listing,
    options,
    pack,
    paint,
    pairs,
    report,
    run,
    speed,
    status,
    study,
)
from bench.cli.arguments import Parser
from bench.core import plugins
from bench.core.errors import UserError, gpu_trouble, is_out_of_memory, unknown
from bench.core.interrupts import INTERRUPTED, UNREAD, Stopped, with_command
from bench.core.rank import is_first
from bench.registry import REGISTRY, discover


class Command(Protocol):
    """A module of `bench.cli` that is a command."""

    __doc__: str | None

    def add_options(self, parser: Parser) -> None:
        """Add the command's options, and set its usage line and examples."""

    def execute(self, args: argparse.Namespace) -> int:
        """Do the work and return the exit code: 0 for success."""


COMMANDS: dict[str, dict[str, Command]] = {
    "train": {"run": run, "ablate": ablate, "compare": compare},
    "measure": {"evaluate": evaluate, "report": report, "pack": pack, "export": export},
    "look": {
        **{"list": listing, "status": status, "pairs": pairs},
        **{"inpaint": inpaint, "paint": paint, "study": study},
    },
    "keep house": {"check": check, "speed": speed, "clean": clean},
}
"""The commands by purpose, as `--help` groups them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 is success, 1 a check that failed, 2 a mistake in the input, 130 an interruption by Ctrl-C,
    75 a training that a signal stopped, to go on later, and 141 that nobody read the output.
    """
    _set_up_output()
    try:
        args = _parse(sys.argv[1:] if argv is None else list(argv))
        code: int = args.execute(args)
        sys.stdout.flush()  # a pipe that `head` has left is met here, and not after the end
        return code
    except UserError as error:
        _say(f"error: {error}")
        return 2
    except OSError as error:
        return _failed(error)
    except (MemoryError, RuntimeError) as error:
        text = "out of memory; lower --batch-size, --eval-batch, --size or --width"
        text = text if is_out_of_memory(error) else gpu_trouble(error)
        if not text:
            raise
        _say(f"error: {text}")
        return 2
    except Stopped as stop:
        _say_again(str(stop), argv)
        return stop.code
    except KeyboardInterrupt:
        _say_again("interrupted; the same command goes on from the last checkpoint", argv)
        return INTERRUPTED
    finally:
        _leave_group()


def _set_up_output() -> None:
    """Set up the log, and streams that print any name of a file."""
    first = is_first()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("bench").setLevel(logging.INFO if first else logging.ERROR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that is no text, or a terminal without ±, is printed by its codes.
            stream.reconfigure(errors="backslashreplace")


def _failed(error: OSError) -> int:
    """Say which file failed, unless it is the output and nobody reads it; return the exit code."""
    if isinstance(error, BrokenPipeError) and _nobody_reads():
        return UNREAD
    name = f"{error.filename}: " if error.filename else ""
    _say(f"error: {name}{error.strerror or error}")
    return 2


def _nobody_reads() -> bool:
    """Return whether the reader of the output has gone, and if so drop what is still to be said."""
    output = select.poll()
    output.register(sys.stdout, 0)
    gone = any(event & select.POLLERR for _, event in output.poll(0))
    if gone:  # Python flushes again at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return gone


def _leave_group() -> None:
    """Leave the group of processes that train together; its threads abort one that just ends."""
    if "torch" in sys.modules:  # to import it takes seconds
        from torch import distributed

        if distributed.is_available() and distributed.is_initialized():
            distributed.destroy_process_group()


def _say(text: str) -> None:
    """Print a last word, once: of several processes all meet the same mistake in the options."""
    if is_first():
        print(text, file=sys.stderr)


def _say_again(text: str, argv: Sequence[str] | None) -> None:
    """Print a text about the same command, and the command itself if it was that of the process."""
    # The line before may show ^C, or a bar of progress.
    _say(f"\n{with_command(text) if argv is None else text}")


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
    args.parser.refuse_repeated(argv)
    found, typed = config_file.described(args), options.given(args)
    if found:
        command, *rest = argv
        args, extra = parser.parse_known_args([command, *config_file.words(found, args), *rest])
    args.described, args.typed = found, typed
    for file in getattr(args, "plugin", []):
        plugins.load(file, REGISTRY)
    # Unknown words are looked at here: argparse would name none of the near options.
    for word in extra:
        if not word.startswith("-"):
            raise _unexpected(word, args.parser)
        known = [s for a in args.parser._actions for s in a.option_strings]
        raise unknown("option", word.partition("=")[0], known)
    return args


def _unexpected(word: str, parser: Parser) -> UserError:
    """Return the error for a word that is no option; the name of a method lacks its option."""
    method = discover().get(word)
    known = {flag for action in parser._actions for flag in action.option_strings}
    if method and f"--{method.family}" in known:
        return UserError(f"unexpected word '{word}'; did you mean --{method.family} {word}?")
    return UserError(f"unexpected word '{word}'; see `{parser.prog} --help`")
