"""The times of the commands that must answer at once."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from bench.profiling.timing import Row, median


def start(repeats: int) -> list[Row]:
    """Time `--help` and `list`, and compare them with `import torch`."""
    plain = median(lambda: _python("-c", "import torch"), repeats)
    rows = [Row("import torch", plain)]
    for word in ("--help", "list"):
        seconds = median(partial(_python, "-m", "bench", word), repeats)
        rows.append(Row(f"bench {word}", seconds, plain=plain))
    return rows


def _python(*words: str) -> None:
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
