"""The pictures of runs that are reported: made again where they are missing or damaged."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.runs.run import Run


def restore(run: Run) -> None:
    """Make pictures of a finished run again that are missing or damaged.

    A run whose test images are gone is reported without pictures, but never with damaged ones: that
    is a `UserError`.
    """
    try:
        if run.lacks_pictures():
            _draw(run)
    except UserError as error:
        if run.pictures.own.exists():
            raise UserError(f"its pictures are incomplete or damaged, and {error}") from error
        print(f"warning: no pictures of {run.name}: {error}", file=sys.stderr)


def _draw(run: Run) -> None:
    from bench.core.device import tune_cpu

    tune_cpu()
    from bench.runs.experiment import restore_pictures

    print(f"{run.name}: pictures are missing or damaged, and made again", file=sys.stderr)
    restore_pictures(run, run.path.parent)
