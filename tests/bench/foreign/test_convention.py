"""Conventions of model files: their options, and what a model gets and gives under them."""

from __future__ import annotations

import pytest
import torch

from bench.core.errors import UserError
from bench.foreign.convention import Convention, Values, parse

IMAGE = torch.tensor([0.0, 0.2, 1.0]).reshape(1, 3, 1, 1).repeat(1, 1, 1, 2)
MASK = torch.tensor([[[[1.0, 0.0]]]])
HOLED = IMAGE * MASK


def test_without_options_a_model_gets_what_the_suites_own_get() -> None:
    image, mask = Convention().encode(HOLED, MASK)
    assert torch.equal(image, HOLED) and torch.equal(mask, MASK) and str(Convention()) == ""
    assert torch.equal(Convention().decode(IMAGE), IMAGE)


def test_ranges_polarity_channels_and_colours() -> None:
    options = {"range": "-1..1", "polarity": "hole-white", "colours": "bgr", "mask-channels": "3"}
    found = parse({**options, "hole": "grey", "order": "mask-image"})
    mask, image = found.encode(HOLED, MASK)
    assert image[0, :, 0, 0].tolist() == pytest.approx([1, -0.6, -1])  # blue comes first
    assert image[0, :, 0, 1].tolist() == [0, 0, 0]  # grey, in the middle of -1..1
    assert mask[0, :, 0].tolist() == 3 * [[0, 1]]
    assert torch.allclose(found.decode(image[..., :1]), IMAGE[..., :1])


def test_bytes_are_rounded_and_so_is_the_mask() -> None:
    found = parse({"range": "uint8"})
    image, mask = found.encode(HOLED, MASK)
    assert image.dtype == mask.dtype == torch.uint8
    assert image[0, :, 0, 0].tolist() == [0, 51, 255] and mask.flatten().tolist() == [255, 0]
    assert found.decode(image)[0, :, 0, 0].tolist() == pytest.approx([0, 0.2, 1])
    assert parse({"range": "0..255", "output-range": "0..1"}).output_range == Values(0, 1)


def test_image_and_mask_can_be_the_channels_of_one_input() -> None:
    (joined,) = parse({"order": "mask+image", "mask-range": "-0.5..0.5"}).encode(HOLED, MASK)
    assert joined[0, :, 0, 0].tolist() == pytest.approx([0.5, 0, 0.2, 1])
    (joined,) = parse({"order": "image+mask"}).encode(HOLED, MASK)
    assert joined.shape == (1, 4, 1, 2) and torch.equal(joined[:, 3:], MASK)


def test_the_text_of_a_convention_is_read_to_the_same_one() -> None:
    options = {"range": "-1..1", "output-range": "uint8", "size": "512", "order": "image+mask"}
    found = parse(options)
    again = dict(option.split("=") for option in str(found)[1:].split(":"))
    assert again == options and parse(again) == found


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("polarity=white", "polarity=white: use hole-white or hole-black"),
        ("range=1..0", r"range=1\.\.0: use uint8, or LOW\.\.HIGH"),
        ("range=0-1", "use uint8"),
        ("mask-channels=2", "use 1 or 3"),
        ("multiple=0", "use a number of pixels"),
        ("size=eight", "use a number of pixels"),
        ("order=image,mask", "use image-mask or mask-image or"),
        ("polarty=hole-white", "unknown option of a model 'polarty'; did you mean polarity"),
    ],
)
def test_an_option_that_is_unknown_or_wrong_is_refused(option: str, told: str) -> None:
    key, _, value = option.partition("=")
    with pytest.raises(UserError, match=told):
        parse({key: value})
