"""Known pixels of an output, compared with those of its input: changes, and mistakes in saving.

A program that fills a hole hands the known pixels back nearly as they were. So they tell of a
picture that was saved wrongly. The thresholds were set on outputs of two algorithms for crops of
BSDS500 and their grey versions: of 22,000 right ones, with JPEG down to quality 5, blur, noise,
tints, gamma or less contrast, none gives an alarm. Of those in colour that were saved as BGR all
do, 92 % after JPEG of quality 50 and 71 % after a blur.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.data.images.decode import Pixels
from bench.data.masks.buckets import Mask

OPPOSITE = -0.5
"""Correlation below which values run against each other."""
UNLIKE = 0.5
"""Median correlation, over all outputs, below which they cannot be fillings of their inputs."""
BETTER = 0.5
"""Share of the mean squared error that a clearly better fit may have at most."""
NEAR = 16.0
"""Root of the mean squared error, levels, up to which a picture without contrast is near a plain
input: strong JPEG makes one colour of a sky."""

Values = NDArray[np.float64]
"""Values [N,3] of known pixels, 0..255."""


class Comparison(NamedTuple):
    """How the known pixels of one output differ from those of its input; sums are exact."""

    known: int
    changed: int
    """Known pixels, and those of them in which any channel differs."""
    difference: int
    """Sum of the absolute differences over known pixels and channels, levels."""
    likeness: float
    """Correlation of known values with the input's; NaN where one of them has no contrast."""
    mistake: str
    """Mistake in saving the picture, in words that follow its name; empty for none."""
    hole_colour: tuple[int, ...] | None
    """The one colour that the whole hole has, if it has one."""


def compare(output: Pixels, image: Pixels, mask: Mask) -> Comparison:
    """Compare an output [H,W,3] with the true image on the known pixels of a mask, 1 = known."""
    out, true = (x[mask > 0].astype(np.float64) for x in (output, image))
    apart = np.abs(out - true)
    return Comparison(
        known=len(out),
        changed=int(apart.any(axis=1).sum()),
        difference=int(apart.sum()),
        likeness=_correlation(out, true),
        mistake=_mistake(output, out, true),
        hole_colour=_one_colour(output[mask == 0]),
    )


def _mistake(output: Pixels, out: Values, true: Values) -> str:
    """Return what is wrong with a picture, or nothing."""
    error = _error(out, true)
    if error > NEAR**2 and _one_colour(output.reshape(-1, 3)):
        return "is of one single colour"
    if error > NEAR**2 and output.max() <= 1:
        return "has no value above 1; multiply by 255 before saving"
    other = {
        "is inverted": (255 - out, _correlation(out, true)),
        "has red and blue exchanged: it was saved as BGR": (
            out[:, ::-1],
            _correlation(_red_minus_blue(out), _red_minus_blue(true)),
        ),
    }
    fits = {
        words: _error(repaired, true)
        for words, (repaired, correlation) in other.items()
        if correlation < OPPOSITE
    }
    if not fits:
        return ""
    words, least = min(fits.items(), key=lambda fit: fit[1])
    return words if least < BETTER * error else ""


def _error(out: Values, true: Values) -> float:
    return float(np.square(out - true).mean())


def _red_minus_blue(values: Values) -> Values:
    return values[:, 0] - values[:, 2]


def _correlation(one: Values, other: Values) -> float:
    """Return Pearson's correlation over all values; NaN if either has none but one."""
    one, other = one - one.mean(), other - other.mean()
    scale = np.sqrt(np.square(one).sum() * np.square(other).sum())
    return float((one * other).sum() / scale) if scale > 0 else float("nan")


def _one_colour(values: NDArray[Any]) -> tuple[int, ...] | None:
    """Return the colour that all pixels [N,3] have, if it is one."""
    if len(values) and (values == values[0]).all():
        return tuple(int(level) for level in values[0])
    return None
