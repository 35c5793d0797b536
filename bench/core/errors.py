"""Errors that a user can correct."""

from collections.abc import Iterable
from difflib import get_close_matches

GPU_TROUBLE = {
    "no kernel image is available": "this torch has no code for this GPU; install a build that "
    "has, or use --device cpu",
    "busy or unavailable": "another process keeps this GPU for itself; wait for it, or use "
    "--device cpu",
}
"""Remedies for errors of CUDA, by a part of their text."""


class UserError(Exception):
    """A mistake in the user's input, described in one line that names the input and the remedy.

    The command line prints it without a traceback and exits with code 2. It is one line whatever is
    quoted in it: a name, or another library's words.
    """

    def __str__(self) -> str:
        return " ".join(super().__str__().splitlines())


class MissingWeightsError(UserError):
    """Pretrained weights that are not available; the text says why, and how to get them."""


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that memory is missing: Python's own, or one of torch's."""
    # The last is of cuBLAS and cuDNN.
    words = ("out of memory", "can't allocate memory", "_ALLOC_FAILED")
    return isinstance(error, MemoryError) or any(text in str(error) for text in words)


def gpu_trouble(error: Exception) -> str:
    """Return why nothing can run on this GPU and what to do, if the error says so, or nothing."""
    return next((words for text, words in GPU_TROUBLE.items() if text in str(error)), "")


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """Return the error for a name that is not among `known`.

    The text suggests up to three similar names, or lists all of them where none is similar.
    """
    names = sorted(known)
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"
    return UserError(f"unknown {kind} '{name}'; {hint}")
