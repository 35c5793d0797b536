"""The names of launchers on the command line: `here`, `local:2`, `slurm`, `slurm:8`, `print`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

from bench.core.errors import UserError

Kind = Literal["here", "local", "slurm", "print"]
MOST = 10_000
"""Largest number of runs at once."""


@dataclass(frozen=True)
class Launcher:
    """How a sweep is carried out, by how many runs at once; 0: as many as the cluster allows."""

    kind: Kind
    at_once: int = 1


def launcher(text: str) -> Launcher:
    """Return the launcher of a text; one that there is not is a `UserError`."""
    kind, colon, number = text.partition(":")
    if kind not in get_args(Kind) or (colon and kind in ("here", "print")):
        raise _wrong(text)
    if not colon:
        if kind == "local":
            raise _wrong(text)
        return Launcher(cast(Kind, kind), 0 if kind == "slurm" else 1)
    if not (number.isascii() and number.isdigit()) or not 1 <= int(number) <= MOST:
        raise _wrong(text)
    return Launcher(cast(Kind, kind), int(number))


def _wrong(text: str) -> UserError:
    return UserError(
        f"--launcher {text}: use here, local:N for N runs at once on this machine, slurm or "
        "slurm:N for at most N jobs at once, or print"
    )
