"""Bounds of numbers, and how an error tells them."""

import math

import pytest

from bench.core.bounds import Bounds


@pytest.mark.parametrize(
    ("bounds", "inside", "outside", "told"),
    [
        (Bounds(least=0, most=8), (0, 8), (-1, 9), "from 0 to 8"),
        (Bounds(least=0, below=1), (0, 0.999), (-1e-9, 1), "at least 0 and below 1"),
        (Bounds(above=0, most=2), (1e-300, 2), (0, 2.001), "above 0 and at most 2"),
        (Bounds(), (0, -1e308), (), "a finite number"),
    ],
)
def test_bounds(
    bounds: Bounds, inside: tuple[float, ...], outside: tuple[float, ...], told: str
) -> None:
    assert all(value in bounds for value in inside)
    assert not any(value in bounds for value in (*outside, math.nan, math.inf, -math.inf))
    assert str(bounds) == told
