"""The look of each method: the same colour, marker and line style in every plot and page."""

from __future__ import annotations

import hashlib
from typing import Any

BLACK, BLUE, VERMILLION, GREEN, PINK = "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, INDIGO, TEAL, RED = "#E69F00", "#56B4E9", "#332288", "#336666", "#990000"
# Okabe and Ito's colours, without their yellow, which is faint on white, and with three darker
# ones. Any two differ by at least 12 in CIEDE2000, also for readers without red or green cones.

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
"""Colour, marker and line style of each variant; its markers are filled."""
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
"""Colour, marker and line style of each baseline.

Baselines reuse the variants' colours, so their markers are hollow.
"""
OTHER_COLOURS = (BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY, INDIGO, TEAL, RED)
OTHER_MARKERS = "phd"  # no known method has these
OTHER_LINES = ("-", "--", "-.", ":")


def style(method: str) -> dict[str, Any]:
    """Return a method's keywords for a matplotlib line with markers.

    They are color, marker, linestyle and markerfacecolor.
    """
    chosen, marker, line = VARIANTS.get(method) or BASELINES.get(method) or _other(method)
    face = "white" if method in BASELINES else chosen
    return {"color": chosen, "marker": marker, "linestyle": line, "markerfacecolor": face}


def colour(method: str) -> str:
    """Return a method's colour as #RRGGBB."""
    return str(style(method)["color"])


def _other(method: str) -> tuple[str, str, str]:
    """Return colour, marker and line style of an unknown method.

    They follow from its name alone, so that they are the same in every process and every plot.
    """
    # Python's own hash of a text differs between processes.
    number = int.from_bytes(hashlib.sha256(method.encode()).digest()[:8], "big")
    number, of_colour = divmod(number, len(OTHER_COLOURS))
    number, of_marker = divmod(number, len(OTHER_MARKERS))
    return (
        OTHER_COLOURS[of_colour],
        OTHER_MARKERS[of_marker],
        OTHER_LINES[number % len(OTHER_LINES)],
    )
