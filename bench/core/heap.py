"""The heap of the C library."""

import ctypes


def trim() -> None:
    """Return all freed memory to the system.

    `bench.core.device.tune_cpu` lets glibc keep it, for the next step of the same sizes. Where
    sizes differ from step to step, what is free fits nothing, and the process grows.
    """
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return  # The C library is not glibc.
