import hashlib
import multiprocessing
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt, label

from bench.core.errors import UserError
from bench.data.masks import family as families
from bench.data.masks.buckets import BUCKETS, bucket_label, bucket_of, hole_ratio
from bench.data.masks.family import REGISTRY, GeneratedMasks, family_of, generate
from bench.data.masks.shapes import shapes
from bench.data.masks.source import open_masks

FAMILIES = {name: family.draw for name, family in REGISTRY.all().items()}

SIZE = 64
TASKS = Path("/proc/self/task")


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


DIGESTS = {
    "boxes": "7eac3e00351880d0",
    "lama-thin": "72f0b0f6aa16e250",
    "lama-medium": "f124ed3e3d604bf3",
    "lama-thick": "953f3b91f94e1c03",
    "shapes": "04f19f26621ba48a",
    "strokes": "dd378d9870572216",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_masks_stay_the_same_to_the_bit(family: str) -> None:
    drawn = [generate([family], SIZE, (0.1, 0.5), 0, "test", index) for index in range(20)]
    assert hashlib.sha256(np.stack(drawn).tobytes()).hexdigest()[:16] == DIGESTS[family]


def test_every_given_family_is_drawn() -> None:
    mixed = [generate(["boxes", "shapes"], SIZE, (0.2, 0.3), 0, "test", i) for i in range(20)]
    rectangles = sum(is_rectangle(mask) for mask in mixed)
    assert 0 < rectangles < 20


def test_a_mix_names_the_family_that_drew_each_mask() -> None:
    mix, drawn_by = GeneratedMasks(("boxes", "shapes")), Counter[str]()
    for row in mix.by_bucket(SIZE, 0, "test", 8).values():
        for name, mask in row:
            family = family_of(name)
            assert is_rectangle(mask) == (family == "boxes")
            drawn_by[family] += 1
            assert np.array_equal(mix.load(name, SIZE), mask)
            # Manifests of older versions do not name it, and mean the same mask.
            assert np.array_equal(mix.load(name.rpartition("/")[0], SIZE), mask)
            other = name.replace(f"/{family}", "/shapes" if family == "boxes" else "/boxes")
            with pytest.raises(UserError, match=f"was drawn by {family}"):
                mix.load(other, SIZE)
    assert drawn_by.keys() == {"boxes", "shapes"}
    alone = GeneratedMasks(("boxes",)).by_bucket(SIZE, 0, "test", 1)["(0.1, 0.2]"]
    assert [name for name, _ in alone] == ["boxes/test/0/0/0"]


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


@pytest.mark.skipif(not TASKS.is_dir(), reason="no /proc")
def test_shapes_are_drawn_by_one_thread() -> None:
    # Threads of several processes that draw batches wait for each other.
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(threads_after_a_shape) == 1


def threads_after_a_shape() -> int:
    shapes(np.random.default_rng(0), 256, 20_000)
    return len(list(TASKS.iterdir()))


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
    assert open_masks("shapes, boxes", "", Path()).name == "shapes,boxes"


def test_unknown_family_gives_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"unknown mask source 'stroke'; did you mean strokes"):
        open_masks("shapes,stroke", "", Path())


@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_bucket_is_reached_in_few_attempts(
    family: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, attempts = FAMILIES[family], []
    monkeypatch.setattr(
        families, "_drawing", lambda name: lambda *args: attempts.append(args) or draw(*args)
    )
    for bucket in BUCKETS:
        attempts.clear()
        for index in range(8):
            generate([family], size, bucket, 0, "test", index)
        assert 8 <= len(attempts) < 8 * 50


def test_range_that_a_family_cannot_fill_is_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    known = np.ones((8, 8), np.uint8)
    monkeypatch.setattr(families, "_drawing", lambda name: lambda *arguments: known)
    with pytest.raises(UserError, match=r"no boxes mask of 8 pixels .*\(0\.2, 0\.3\].*--ratio"):
        generate(["boxes"], 8, (0.2, 0.3), 0, "test", 0)


def first_pieces(family: str, size: int, count: int) -> list[np.ndarray]:
    """Holes of one piece: the cut nearest to a single pixel comes after the first."""
    return [FAMILIES[family](np.random.default_rng(seed), size, 1) == 0 for seed in range(count)]


def width(hole: np.ndarray) -> float:
    """Diameter of the largest disc within the hole, the surroundings being known."""
    return 2 * float(distance_transform_edt(np.pad(hole, 1)).max())


@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize(
    ("family", "length", "thickness"),
    [("lama-thin", 49, 14), ("lama-medium", 109, 54), ("lama-thick", 209, 104)],
)
def test_lama_segments_have_the_lengths_and_widths_of_their_preset(
    family: str, length: int, thickness: int, size: int
) -> None:
    pieces = [p for p in first_pieces(family, size, 300) if not is_rectangle(~p)]
    assert all(label(p, np.ones((3, 3)))[1] == 1 for p in pieces)
    widths = [width(p) * 256 / size for p in pieces]
    # The widest and the longest come near to the bound, and none is beyond it but for the raster.
    assert 0.85 * thickness < max(widths) <= thickness + 4
    assert min(widths) < 9
    reach = [
        np.hypot(np.ptp(rows) + 1, np.ptp(columns) + 1) * 256 / size
        for rows, columns in map(np.nonzero, pieces)
    ]
    assert 0.8 * (length + thickness) < max(reach) <= length + 1.5 * thickness + 4


def test_lama_presets_differ_in_thickness() -> None:
    found = [
        np.median([width(generate([f], 256, (0.2, 0.3), 0, "test", i) == 0) for i in range(20)])
        for f in ("lama-thin", "lama-medium", "lama-thick")
    ]
    assert found[0] < 40
    assert found[0] * 1.5 < found[1]
    assert found[1] * 1.3 < found[2]


@pytest.mark.parametrize(
    ("family", "shortest", "longest", "margin"),
    [("lama-medium", 10, 50, 0), ("lama-thick", 30, 150, 10)],
)
@pytest.mark.parametrize("size", [128, 256])
def test_lama_boxes_have_their_sides_and_margin_in_their_share(
    family: str, shortest: int, longest: int, margin: int, size: int
) -> None:
    boxes = [p for p in first_pieces(family, size, 600) if is_rectangle(~p)]
    assert 90 <= len(boxes) <= 190  # 0.3 / 1.3 of 600 is 138
    scale = size / 256
    sides, distances = [], []
    for rows, columns in map(np.nonzero, boxes):
        sides += [np.ptp(rows) + 1, np.ptp(columns) + 1]
        distances += [rows.min(), columns.min(), size - 1 - rows.max(), size - 1 - columns.max()]
    assert (min(sides), max(sides)) == (shortest * scale, longest * scale)
    assert min(distances) == margin * scale


def test_thin_lama_masks_have_no_boxes() -> None:
    pieces = first_pieces("lama-thin", 256, 300)
    assert sum(is_rectangle(~p) for p in pieces) == 0


@pytest.mark.parametrize(("family", "most"), [("lama-medium", 5), ("lama-thick", 3)])
def test_lama_boxes_are_at_most_as_many_as_the_preset_has(family: str, most: int) -> None:
    # Wanting all pixels cuts nothing off; boxes alone leave straight edges and few parts.
    holes = [FAMILIES[family](np.random.default_rng(s), 256, 256 * 256) == 0 for s in range(60)]
    boxes = [FAMILIES[family](np.random.default_rng(s), 256, 1) == 0 for s in range(60)]
    parts = [label(h)[1] for h, b in zip(holes, boxes, strict=True) if is_rectangle(~b)]
    assert parts
    assert max(parts) <= most
    assert max(parts) > 1
