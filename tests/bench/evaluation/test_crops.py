"""Crops: large pictures are filled in parts, small ones as ever."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.config import Model
from bench.evaluation import crops, picture
from bench.evaluation.fill import fill
from bench.networks.holes import composite
from bench.networks.initialisation import initialise
from bench.registry import reference

HEIGHT, WIDTH = 180, 240
Holes = list[tuple[slice, slice]]
HOLES: dict[str, Holes] = {
    "one": [np.s_[60:80, 100:120]],
    "two far apart": [np.s_[0:10, 0:10], np.s_[150:170, 200:230]],
    "two side by side": [np.s_[50:60, 50:60], np.s_[50:60, 70:80]],
    "a scratch": [np.s_[90:94, 0:240]],
    "a cross": [np.s_[90:94, 0:240], np.s_[0:180, 100:104]],
    "a thick one": [np.s_[40:140, 60:180]],
    "at the border": [np.s_[60:180, 0:100]],
}


@pytest.fixture(autouse=True)
def small_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the true sizes, so that the pictures of these tests are large."""
    for name, value in {"SIDE": 128, "MARGIN": 24, "CORE": 80}.items():
        monkeypatch.setattr(crops, name, value)


def holed(holes: Holes, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    mask = torch.ones(1, 1, height, width)
    for hole in holes:
        mask[0, 0][hole] = 0
    return mask


def slope(height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """A picture whose colours are linear in row and column."""
    rows, columns = torch.meshgrid(
        torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij"
    )
    return torch.stack([rows, columns, (rows + columns) / 2])[None]


def plane(image: Tensor, mask: Tensor) -> Tensor:
    """Fill with the linear function that the known pixels lie on: right wherever one looks."""
    height, width = image.shape[-2:]
    place = torch.stack(
        [x.flatten() for x in torch.meshgrid(
            torch.arange(height), torch.arange(width), indexing="ij"
        )] + [torch.ones(height * width, dtype=torch.int64)], 1
    ).double()  # fmt: skip
    known = mask.flatten() > 0.5
    colours = image.flatten(2)[0].T.double()
    found = torch.linalg.lstsq(place[known], colours[known]).solution
    return (place @ found).T.reshape(image.shape).float()


def fill_holes(function: crops.Fill, image: Tensor, mask: Tensor) -> Tensor:
    """Fill a copy; what the function sees of the hole is black, as `fill` makes it."""
    return crops.fill_holes(lambda i, m: function(i * m, m), image.clone(), mask)


class Seen:
    """A fill that remembers what it saw."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor] = plane) -> None:
        self.function = function
        self.masks: list[Tensor] = []

    def __call__(self, image: Tensor, mask: Tensor) -> Tensor:
        self.masks.append(mask)
        return self.function(image, mask)


@pytest.mark.parametrize("holes", HOLES.values(), ids=HOLES)
def test_every_hole_is_filled_from_its_surroundings(holes: Holes) -> None:
    image, mask, seen = slope(), holed(holes), Seen()
    filled = fill_holes(seen, image, mask)
    known = mask.expand_as(image) > 0.5
    assert torch.equal(filled[known], image[known])
    # Half a pixel of the coarse grid at most, where a thick hole is filled at a lower resolution.
    assert (filled - image).abs().max() < 0.01
    assert all(max(part.shape) <= crops.SIDE and part.mean() > 0.2 for part in seen.masks)


@pytest.mark.parametrize(
    ("name", "number"),
    [("one", 1), ("two far apart", 2), ("two side by side", 1), ("a scratch", 3),
     ("a thick one", 1)],
)  # fmt: skip
def test_near_holes_share_a_crop_and_long_ones_have_several(name: str, number: int) -> None:
    seen = Seen()
    fill_holes(seen, slope(), holed(HOLES[name]))
    assert len(seen.masks) == number


@pytest.mark.parametrize("holes", HOLES.values(), ids=HOLES)
def test_nothing_of_the_hole_is_used(holes: Holes) -> None:
    mask = holed(holes)
    images = [torch.where(mask > 0.5, slope(), colour) for colour in (0.0, 1.0)]
    assert torch.equal(*(fill_holes(plane, image, mask) for image in images))


def test_tiles_pass_into_each_other() -> None:
    """Tiles of very different colours along a scratch: no pixel differs much from the next."""
    colours = iter(range(100))
    filled = fill_holes(
        lambda image, _: torch.full_like(image, float(next(colours))),
        slope(),
        holed(HOLES["a scratch"]),
    )
    along = filled[0, 0, 92]
    assert along[0] == 0 and along[-1] == 2
    assert 0 < along.diff().abs().max() < 2 / crops.MARGIN


def test_a_hole_is_not_touched_by_the_crop_of_another() -> None:
    """The second hole lies in the crop of the first one but has one of its own."""
    holes: Holes = [np.s_[60:140, 20:100], np.s_[60:140, 125:200]]
    colours = iter((0.25, 0.75))
    filled = fill_holes(
        lambda image, _: torch.full_like(image, next(colours)), slope(), holed(holes)
    )
    for hole, colour in zip(holes, (0.25, 0.75), strict=True):
        assert filled[0, 0][hole].numpy() == pytest.approx(colour)


def test_known_pixels_survive_a_network_that_diverged() -> None:
    image, mask = slope(), holed(HOLES["a cross"])
    filled = fill_holes(lambda image, _: torch.full_like(image, torch.nan), image, mask)
    assert torch.equal(filled.isnan(), mask.expand_as(image) < 0.5)
    assert torch.equal(filled[filled.isfinite()], image[filled.isfinite()])


def test_a_long_low_picture_is_filled() -> None:
    seen = Seen()
    image, mask = slope(20, 2000), holed([np.s_[0:20, 100:1500]], 20, 2000)
    assert (fill_holes(seen, image, mask) - image).abs().max() < 0.03
    assert min(seen.masks[0].shape[-2:]) >= crops.SMALLEST


def test_a_batch_is_filled_image_by_image() -> None:
    image, masks = slope(), [holed(HOLES["one"]), holed(HOLES["a scratch"])]
    filled = fill_holes(plane, image.repeat(2, 1, 1, 1), torch.cat(masks))
    for one, mask in zip(filled, masks, strict=True):
        assert torch.equal(one, fill_holes(plane, image, mask)[0])


@pytest.mark.parametrize("size", [(16, 16), (100, 120), (128, 128)])
def test_a_small_picture_is_filled_as_a_whole(size: tuple[int, int]) -> None:
    network = reference().build(Model(width=2, depth=3))
    initialise(network, 0, lambda parameter: 0.2)
    image, mask = torch.rand(1, 3, *size), holed([np.s_[4:9, 3:9]], *size)
    expected = composite(fill(network, image, mask), image, mask)
    filled = picture.fill_picture(network, image, mask, torch.device("cpu"))
    assert torch.equal(filled, expected)


def test_a_network_fills_a_large_picture() -> None:
    network = reference().build(Model(width=2, depth=3))
    initialise(network, 0, lambda parameter: 0.2)
    image, mask = torch.rand(1, 3, 150, 160), holed([np.s_[4:9, 3:9]], 150, 160)
    filled = picture.fill_picture(network, image, mask, torch.device("cpu"))
    part = np.s_[..., : 5 + 2 * crops.MARGIN, : 6 + 2 * crops.MARGIN]
    expected = composite(fill(network, image[part], mask[part]), image[part], mask[part])
    torch.testing.assert_close(filled[part], expected)
    assert torch.equal(filled[..., 60:], image[..., 60:])
