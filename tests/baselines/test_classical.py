"""The classical fills against the libraries they stand on, alone and in batches."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from baselines.classical import fills
from bench.config import Model
from bench.core.errors import UserError
from bench.registry import find

NAMES = ["mean-colour", "telea", "navier-stokes", "biharmonic", "patchmatch"]
Pixels = NDArray[np.uint8]


def photographs(count: int = 3, size: int = 48) -> tuple[Tensor, Tensor]:
    """Whole steps of 1/255, textured, and masks with holes in different places."""
    stream = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, 3, 6, 6, generator=stream)
    image = nn.functional.interpolate(coarse, size=(size, size), mode="bicubic").clamp(0, 1)
    mask = torch.ones(count, 1, size, size)
    for k in range(count):
        mask[k, :, 5 + 4 * k : 20 + 4 * k, 8:24] = 0
    return (image * 255).round() / 255, mask


def network(name: str) -> nn.Module:
    return find(name, "baseline").build(Model())


def direct(name: str, image: Pixels, hole: Pixels) -> Pixels:
    """The same by the library itself, on one image."""
    import cv2
    import patchmatch
    from skimage.restoration import inpaint_biharmonic

    if name == "mean-colour":
        filled = image.copy()
        for channel in range(3):
            filled[..., channel][hole > 0] = round(image[..., channel][hole == 0].mean())
        return filled
    if name == "telea":
        return np.asarray(cv2.inpaint(image, hole, 3, cv2.INPAINT_TELEA))
    if name == "navier-stokes":
        return np.asarray(cv2.inpaint(image, hole, 3, cv2.INPAINT_NS))
    if name == "biharmonic":
        return np.round(inpaint_biharmonic(image / 255, hole, channel_axis=2) * 255)
    patchmatch.set_random_seed(0)
    return patchmatch.inpaint(image, hole, patch_size=3)


@pytest.mark.parametrize("name", NAMES)
def test_each_image_of_a_batch_is_what_the_library_makes_of_it(name: str) -> None:
    image, mask = photographs()
    output = network(name)(image * mask, mask)
    for k in range(len(image)):
        pixels = ((image * mask)[k].permute(1, 2, 0) * 255).round().byte().numpy()
        hole = (1 - mask[k, 0]).byte().numpy()
        expected = direct(name, pixels, hole)
        found = (output[k].permute(1, 2, 0) * 255).round().numpy()
        assert np.array_equal(found, np.clip(expected, 0, 255))


@pytest.mark.parametrize("name", NAMES)
def test_known_pixels_stay_and_what_is_in_the_hole_is_not_seen(name: str) -> None:
    image, mask = photographs()
    fill = network(name)
    output = fill(image * mask, mask)
    assert torch.equal(output * mask, image * mask)
    assert torch.equal(fill(image * mask + 0.9 * (1 - mask), mask), output)
    assert not torch.equal(output, image * mask)


@pytest.mark.parametrize("name", NAMES)
def test_one_colour_is_restored_and_no_hole_changes_nothing(name: str) -> None:
    image, mask = photographs()
    flat = torch.full_like(image, 100 / 255)
    assert (network(name)(flat * mask, mask) - flat).abs().max() <= 2 / 255 + 1e-6  # Telea drifts
    assert torch.equal(network(name)(image, torch.ones_like(mask)), image)


@pytest.mark.parametrize("name", NAMES)
def test_where_nothing_is_known_the_library_is_not_asked(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, mask = photographs()
    mask[1] = 0
    fill = network(name)
    monkeypatch.setattr(fill, "fill", lambda *_: pytest.fail("the library was asked"))
    with pytest.raises(UserError, match="image 2 of 3 has no known pixel"):
        fill(image * mask, mask)


def test_patchmatch_does_not_depend_on_who_seeded_it_before() -> None:
    import patchmatch

    image, mask = photographs()
    first = network("patchmatch")(image * mask, mask)
    patchmatch.set_random_seed(99)
    assert torch.equal(network("patchmatch")(image * mask, mask), first)
    assert torch.equal(network("patchmatch")(image[1:] * mask[1:], mask[1:]), first[1:])


def test_images_are_spread_over_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    # Each fill waits for the other: one thread alone would never get past it.
    meeting = threading.Barrier(2, timeout=10)

    def fill(image: Pixels, hole: Pixels) -> Pixels:
        meeting.wait()
        return image

    monkeypatch.setattr(fills.os, "cpu_count", lambda: 2)
    image, mask = photographs(2)
    monkeypatch.setitem(fills.FILLS, "waiting", fill)
    assert torch.equal(fills.PerImage(Model(), "waiting")(image, mask), image)


def test_output_has_the_kind_of_the_input() -> None:
    image, mask = photographs(1)
    output = network("telea")(image.bfloat16(), mask.bfloat16())
    assert output.dtype == torch.bfloat16 and output.shape == image.shape
