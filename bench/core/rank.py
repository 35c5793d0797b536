"""The place of this process among those that train one run."""

import os


def is_first() -> bool:
    """Return whether this is the process that writes and speaks: the only one, or the first.

    `torchrun` and `accelerate launch` number their processes in the variable RANK.
    """
    return os.environ.get("RANK", "0") == "0"
