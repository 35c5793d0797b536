"""The entry point of `python -m bench`."""

from __future__ import annotations

import subprocess
import sys


def test_python_does_not_search_for_cycles_at_exit() -> None:
    # Functions of `atexit` run from the last to the first.
    program = (
        "import atexit, gc, runpy\n"
        "atexit.register(lambda: print('frozen', gc.get_freeze_count(), gc.get_threshold()[0]))\n"
        "runpy.run_module('bench', run_name='__main__', alter_sys=True)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, "list"], capture_output=True, text=True, check=True
    )
    word, frozen, threshold = result.stdout.splitlines()[-1].split()
    assert (word, int(threshold)) == ("frozen", 50_000) and int(frozen) > 10_000
