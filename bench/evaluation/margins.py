"""Margins of equality: how far apart two methods may be and still count as equal. No torch here."""

from __future__ import annotations

from bench.core.errors import UserError
from bench.evaluation.metrics.metric import all_metrics, find


def margins(text: str) -> dict[str, float]:
    """Return the margin of every metric, in its unit: its own, or the one that `text` gives.

    `text` has the form of `--margins`: `psnr=0.2,ssim=0.01`. An unknown metric, or a margin that is
    no positive number, is a `UserError`.
    """
    found = {metric.name: metric.margin for metric in all_metrics()}
    for part in text.split(",") if text else ():
        name, _, value = part.partition("=")
        try:
            margin = float(value)
        except ValueError:
            margin = 0.0
        if not 0 < margin < float("inf"):
            raise UserError(f"--margins {part}: give METRIC=NUMBER above 0, such as psnr=0.1")
        found[find(name.strip()).name] = margin
    return found
