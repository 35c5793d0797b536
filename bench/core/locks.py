"""Locks of files that a process holds while it works, and that go with it however it ends."""

from __future__ import annotations

import fcntl
from pathlib import Path

PATIENCE = 0.2
"""Seconds to wait for a lock: `is_held` has it for the moment of its look."""


def is_held(lock: Path) -> bool:
    """Return whether a process of this machine holds a lock; nothing is written to find out."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
