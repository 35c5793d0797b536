"""The times of commands that must answer at once, and of runs outside training and evaluation."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial

from bench import registry
from bench.profiling.timing import Row, median


def start(repeats: int) -> list[Row]:
    """Time `--help` and `list`, a run that is finished already, and its report.

    Such a run does all that another does outside training and evaluation, but to build a learner.
    All are compared with `import torch`.
    """
    plain = median(lambda: _python("-c", "import torch"), repeats)
    rows = [Row("import torch", plain)]
    for word in ("--help", "list"):
        seconds = median(partial(_python, "-m", "bench", word), repeats)
        rows.append(Row(f"bench {word}", seconds, plain=plain))
    with tempfile.TemporaryDirectory() as root:
        name = registry.reference().name
        run = ("run", "--variant", name, "--steps", "1", "--out", root)
        for what, words in {"run, finished": run, "report": ("report", "--out", root)}.items():
            # The warm-up of the first makes the run.
            seconds = median(partial(_python, "-m", "bench", *words), repeats)
            rows.append(Row(f"bench {what}", seconds, plain=plain))
    return rows


def _python(*words: str) -> None:
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
