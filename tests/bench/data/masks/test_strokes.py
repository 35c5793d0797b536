"""Free-form strokes against the published way to draw them."""

from __future__ import annotations

import itertools

import numpy as np

from bench.data.masks.strokes import _stroke

SIZE = 256


def segments(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The start and the end of a stroke's segments."""
    pieces = _stroke(np.random.default_rng(seed), SIZE)
    return [(np.array(p.keywords["start"]), np.array(p.keywords["end"])) for p in pieces]  # type: ignore[attr-defined]


def test_directions_alternate_around_the_x_axis_and_do_not_add_up() -> None:
    angles = []
    for seed in range(200):
        for vertex, (start, end) in enumerate(segments(seed)):
            inside = ((end > 0) & (end < SIZE)).all()  # the border cuts the others
            if inside and (end != start).any():
                dx, dy = end - start
                assert (dy > 0) == (vertex % 2 == 1)
                angles.append(abs(np.arctan2(dy, dx)))
    assert len(angles) > 500
    assert 2 * np.pi / 5 - 2 * np.pi / 15 <= min(angles) < np.pi / 3
    assert 4 * np.pi / 9 < max(angles) <= 2 * np.pi / 5 + 2 * np.pi / 15
    assert abs(np.mean(angles) - 2 * np.pi / 5) < 0.03


def test_segments_follow_one_another_and_have_the_published_lengths() -> None:
    lengths = []
    for seed in range(200):
        drawn = segments(seed)
        assert 4 <= len(drawn) <= 11
        assert all((a[1] == b[0]).all() for a, b in itertools.pairwise(drawn))
        lengths += [np.hypot(*(end - start)) for start, end in drawn]
    assert max(lengths) <= SIZE * np.sqrt(2) / 4 + 1e-9
