"""Freed memory goes back to the system."""

import ctypes
import subprocess
import sys

import pytest

from bench.core import heap

CODE = """
import ctypes, psutil
from bench.core import heap

def used():
    return psutil.Process().memory_info().rss

libc = ctypes.CDLL("libc.so.6")
for setting, value in ((-4, 0), (-1, 2**31 - 1)):  # as `tune_cpu` has them
    libc.mallopt(setting, value)
large, small = b"x" * 200_000_000, b"x" * 1000
del large
before = used()
heap.trim()
print(before - used())
"""


def test_freed_memory_is_returned_where_it_was_kept() -> None:
    words = [sys.executable, "-c", CODE]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 150_000_000


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> None:
        raise OSError

    monkeypatch.setattr(ctypes, "CDLL", absent)
    heap.trim()
