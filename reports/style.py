"""One colour, marker and line style per method, in every plot and page, whatever else is shown."""

from __future__ import annotations

import hashlib
from typing import Any

BLACK, BLUE, VERMILLION, GREEN, PINK = "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, INDIGO, TEAL, RED = "#E69F00", "#56B4E9", "#332288", "#336666", "#990000"
# Okabe and Ito's colours without their yellow, faint on white, and three darker ones. Any two are
# at least 12 apart in CIEDE2000, to readers without red or green cones too.

VARIANTS = {
    "full": (BLACK, "o", "-"),
    "unlearned": (BLUE, "s", "--"),
    "forward": (VERMILLION, "^", "-"),
    "no-gan": (GREEN, "D", "-."),
    "sigmoid": (PINK, "v", ":"),
    "lrelu": (ORANGE, "P", "--"),
    "relu": (SKY, "X", "-"),
    "3x3": (INDIGO, "*", "-."),
    "released": (RED, "<", ":"),
}
"""Colour, marker, line style; markers are filled."""
BASELINES = {
    "mean-colour": (TEAL, "s", ":"),
    "telea": (ORANGE, "D", "--"),
    "navier-stokes": (RED, "^", ":"),
    "biharmonic": (INDIGO, "v", "-."),
    "patchmatch": (SKY, "P", "-"),
    "pconv": (VERMILLION, ">", "-"),
    "pconv-common": (PINK, "X", "--"),
    "global-local": (GREEN, "*", "-."),
    "contextual-attention": (BLUE, "<", ":"),
}
"""Their colours are those of variants, so their markers are hollow."""
OTHER_COLOURS = (BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY, INDIGO, TEAL, RED)
OTHER_MARKERS = "phd"  # which no known method has
OTHER_LINES = ("-", "--", "-.", ":")


def style(method: str) -> dict[str, Any]:
    """Keywords of a matplotlib line with markers: color, marker, linestyle, markerfacecolor."""
    chosen, marker, line = VARIANTS.get(method) or BASELINES.get(method) or _other(method)
    face = "white" if method in BASELINES else chosen
    return {"color": chosen, "marker": marker, "linestyle": line, "markerfacecolor": face}


def colour(method: str) -> str:
    """The method's colour as #RRGGBB."""
    return str(style(method)["color"])


def _other(method: str) -> tuple[str, str, str]:
    """A choice by the name alone, so that it is the same in every process and subset."""
    number = int.from_bytes(hashlib.sha256(method.encode()).digest()[:8], "big")
    number, of_colour = divmod(number, len(OTHER_COLOURS))
    number, of_marker = divmod(number, len(OTHER_MARKERS))
    return (
        OTHER_COLOURS[of_colour],
        OTHER_MARKERS[of_marker],
        OTHER_LINES[number % len(OTHER_LINES)],
    )
