"""Mistakes a user can mend."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """A mistake in the user's input, said in one line that names the thing and the mend.

    The command line prints it without a traceback and leaves with exit code 2.
    """


class MissingWeightsError(UserError):
    """Pretrained weights that cannot be had here; the text says why and how they could be."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not among `known`, with the nearest names."""
    names = sorted(known)
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"
    return UserError(f"unknown {kind} '{name}'; {hint}")
