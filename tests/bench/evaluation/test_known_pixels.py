"""Known pixels of an output tell how much it changed, and of mistakes in saving."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from skimage import data

from bench.data.images.decode import Pixels
from bench.evaluation.known_pixels import compare

CAT: Pixels = np.ascontiguousarray(data.chelsea()[40:168, 100:228])
GREY: Pixels = CAT[..., [1, 1, 1]]
MASK = np.ones((128, 128), np.uint8)
MASK[30:70, 30:90] = 0
STREAM = np.random.default_rng(5)


def filled(image: Pixels) -> Pixels:
    """An output with exact known pixels, and noise in the hole."""
    noise = STREAM.integers(0, 256, image.shape, np.uint8)
    return np.where(MASK[..., None] > 0, image, noise)


def noisy(image: Pixels) -> Pixels:
    return (image + STREAM.normal(0, 20, image.shape)).clip(0, 255).astype(np.uint8)


def warm(image: Pixels) -> Pixels:
    return (image + np.array([30.0, 0, -30])).clip(0, 255).astype(np.uint8)


def greyed(image: Pixels) -> Pixels:
    return image.mean(2, keepdims=True).repeat(3, 2).astype(np.uint8)


@pytest.mark.parametrize("image", [CAT, GREY, CAT // 16], ids=["colour", "grey", "dark"])
@pytest.mark.parametrize("change", [np.array, noisy, warm, greyed, lambda image: image // 2])
def test_a_right_output_alarms_nobody(image: Pixels, change: Callable[[Pixels], Pixels]) -> None:
    found = compare(change(filled(image)), image, MASK)
    assert found.mistake == "" and found.hole_colour is None
    if image.max() > 100:  # noise hides a dark picture; the median over all outputs counts
        assert found.likeness > 0.5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda out: out * 0, "is of one single colour"),
        (lambda out: out * 0 + 255, "is of one single colour"),
        (lambda out: (out > 100).astype(np.uint8), "has no value above 1; multiply by 255"),
        (lambda out: 255 - out, "is inverted"),
        (lambda out: noisy(255 - out), "is inverted"),
    ],
)
@pytest.mark.parametrize("image", [CAT, GREY], ids=["colour", "grey"])
def test_mistakes_in_saving_are_told(
    image: Pixels, change: Callable[[Pixels], Pixels], told: str
) -> None:
    assert compare(change(filled(image)), image, MASK).mistake.startswith(told)


def test_exchanged_channels_are_told_where_there_is_colour() -> None:
    for out in (filled(CAT), noisy(filled(CAT))):
        assert "red and blue exchanged" in compare(out[..., ::-1], CAT, MASK).mistake
    assert compare(filled(GREY)[..., ::-1], GREY, MASK).mistake == ""
    # Inverted channels run against each other as well, and fit better as what they are.
    assert compare(255 - filled(CAT), CAT, MASK).mistake == "is inverted"


def test_a_tint_is_no_exchange_of_channels_though_these_would_fit_better() -> None:
    cold = (GREY // 2 + np.array([0, 0, 20])).astype(np.uint8)
    cold[::2, :, 2] += 4  # or its red and blue would differ by one number
    red = (cold + np.array([20, 0, -20])).astype(np.uint8)
    assert np.square(red[..., ::-1] - 1.0 * cold).mean() < np.square(red - 1.0 * cold).mean() / 2
    assert compare(red, cold, MASK).mistake == ""


def test_a_plain_picture_may_have_one_colour_and_a_black_one_may_be_black() -> None:
    sky = np.full_like(CAT, 200) + STREAM.integers(0, 4, CAT.shape, np.uint8)
    assert compare(np.full_like(sky, 201), sky, MASK).mistake == ""  # as strong JPEG makes it
    assert compare(np.zeros_like(sky), sky, MASK).mistake == "is of one single colour"
    black = np.zeros_like(CAT)
    black[::2] = 1
    assert compare(black, black, MASK).mistake == ""


def test_changed_known_pixels_are_counted() -> None:
    out = filled(CAT)
    out[0, 0] = CAT[0, 0] ^ 4  # off by 4 levels in three channels
    out[1, 1, 2] = CAT[1, 1, 2] ^ 1
    found = compare(out, CAT, MASK)
    assert (found.known, found.changed, found.difference) == (int(MASK.sum()), 2, 13)


def test_the_hole_of_an_input_has_one_colour() -> None:
    assert compare(CAT * MASK[..., None], CAT, MASK).hole_colour == (0, 0, 0)


def test_another_picture_is_unlike() -> None:
    other = np.ascontiguousarray(data.astronaut()[:128, :128])
    found = compare(other, CAT, MASK)
    assert found.likeness < 0.5 and found.mistake == ""
