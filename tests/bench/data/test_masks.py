import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bench.data.masks import (
    BUCKETS,
    FAMILIES,
    bucket_label,
    bucket_of,
    families,
    generate,
    hole_ratio,
    shapes,
)
from bench.errors import UserError

SIZE = 64


@pytest.mark.parametrize("bucket", BUCKETS)
@pytest.mark.parametrize("family", FAMILIES)
def test_masks_are_binary_and_their_ratio_lies_in_the_bucket(
    family: str, bucket: tuple[float, float]
) -> None:
    low, high = bucket
    for index in range(40):
        mask = generate([family], SIZE, bucket, 3, "test", index)
        assert mask.shape == (SIZE, SIZE)
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 1}
        assert low < (mask == 0).mean() <= high
        assert bucket_of(hole_ratio(mask)) == bucket_label(bucket)


@pytest.mark.parametrize("family", FAMILIES)
def test_range_includes_its_upper_end_alone(family: str) -> None:
    # 16 x 16 pixels: the only whole number of hole pixels in (63, 64] is 64.
    for index in range(5):
        mask = generate([family], 16, (63 / 256, 64 / 256), 0, "test", index)
        assert (mask == 0).sum() == 64


def test_ratios_fill_their_range() -> None:
    found = [hole_ratio(generate(["shapes"], SIZE, (0.1, 0.5), 0, "test", i)) for i in range(200)]
    counts = np.histogram(found, bins=4, range=(0.1, 0.5))[0]
    assert counts.min() > 30


@pytest.mark.parametrize("family", FAMILIES)
def test_mask_is_a_function_of_seed_purpose_and_index(family: str) -> None:
    def mask(seed: int = 1, purpose: str = "test", index: int = 2) -> bytes:
        return generate([family], SIZE, (0.2, 0.3), seed, purpose, index).tobytes()

    assert mask() == mask()
    assert len({mask(), mask(seed=2), mask(purpose="training"), mask(index=3)}) == 4


def test_every_given_family_is_drawn() -> None:
    mixed = [generate(["boxes", "shapes"], SIZE, (0.2, 0.3), 0, "test", i) for i in range(20)]
    rectangles = sum(is_rectangle(mask) for mask in mixed)
    assert 0 < rectangles < 20


@pytest.mark.parametrize(
    ("ratio", "bucket"),
    [
        (0.0, None),
        (0.1, None),
        (0.1000001, "(0.1, 0.2]"),
        (0.2, "(0.1, 0.2]"),
        (0.2000001, "(0.2, 0.3]"),
        (0.3, "(0.2, 0.3]"),
        (0.4, "(0.3, 0.4]"),
        (0.5, "(0.4, 0.5]"),
        (0.5000001, None),
        (1.0, None),
    ],
)
def test_buckets_are_open_below_and_closed_above(ratio: float, bucket: str | None) -> None:
    assert bucket_of(ratio) == bucket


@pytest.mark.parametrize("holes", [10, 20, 30, 40, 50])
def test_measured_ratio_on_a_boundary_has_no_float_error(holes: int) -> None:
    mask = np.ones((10, 10), np.uint8)
    mask.ravel()[:holes] = 0
    expected = None if holes == 10 else f"({(holes - 10) / 100:g}, {holes / 100:g}]"
    assert bucket_of(hole_ratio(mask)) == expected


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size", [64, 100])
def test_shapes_are_the_darkest_part_of_enlarged_noise(seed: int, size: int) -> None:
    holes = size * size // 3 + seed
    drawn = shapes(np.random.default_rng(seed), size, holes)

    stream = np.random.default_rng(seed)
    noise = torch.from_numpy(stream.random((8, 8)))
    large = round(size * 350 / 256)
    top, left = stream.integers(large - size + 1, size=2)
    surface = F.interpolate(
        noise[None, None], size=(large, large), mode="bilinear", align_corners=False
    )[0, 0, top : top + size, left : left + size].numpy()
    cut = np.sort(surface, axis=None)[holes - 1]
    assert np.array_equal(drawn == 0, surface <= cut)


@pytest.mark.parametrize("holes", [1, 2, 777, 2048, 4095])
def test_shapes_have_exactly_the_wanted_hole(holes: int) -> None:
    mask = shapes(np.random.default_rng(4), SIZE, holes)
    assert (mask == 0).sum() == holes


def is_rectangle(mask: np.ndarray) -> bool:
    rows, columns = np.nonzero(mask == 0)
    return bool((np.ptp(rows) + 1) * (np.ptp(columns) + 1) == rows.size)


def test_boxes_are_one_rectangle_of_moderate_aspect() -> None:
    seen = set()
    for index in range(60):
        mask = generate(["boxes"], SIZE, (0.1, 0.3), 0, "test", index)
        assert is_rectangle(mask)
        rows, columns = np.nonzero(mask == 0)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert 0.45 < height / width < 2.2
        seen.add((height, width, rows.min(), columns.min()))
    assert len(seen) > 50


def test_names_of_families_are_parsed() -> None:
    assert families("shapes, boxes") == ["shapes", "boxes"]


def test_unknown_family_gives_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"unknown mask source 'stroke'; did you mean strokes"):
        families("shapes,stroke")
