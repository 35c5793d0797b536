from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.data.batches import Batches
from bench.data.images.source import list_folder
from bench.data.masks.family import GeneratedMasks
from bench.data.photos import load_photos

COLOURS = [(40 * k, 255 - 40 * k, 7 * k) for k in range(6)]


@pytest.fixture
def flat(tmp_path: Path) -> Batches:
    """Batches of 4 from six photographs of one colour each."""
    folder = tmp_path / "flat"
    folder.mkdir()
    for number, colour in enumerate(COLOURS):
        Image.new("RGB", (50, 40), colour).save(folder / f"{number}.png")
    photos = load_photos(list_folder(folder), 40, 32, tmp_path / "cache")
    return Batches(photos, GeneratedMasks(("shapes",)), 32, (0.2, 0.4), 4, seed=0)


@pytest.fixture
def ramp(tmp_path: Path) -> Batches:
    """Batches from one photograph whose red is the column and whose green is the row."""
    folder = tmp_path / "ramp"
    folder.mkdir()
    rows, columns = np.mgrid[:36, :40].astype(np.uint8)
    Image.fromarray(np.stack([columns, rows, 0 * rows], -1)).save(folder / "ramp.png")
    photos = load_photos(list_folder(folder), 36, 32, tmp_path / "cache")
    return Batches(photos, GeneratedMasks(("boxes",)), 32, (0.2, 0.4), 8, seed=0)


def seen(batches: Batches, count: int) -> list[int]:
    """Numbers of the photographs at the first positions."""
    images = torch.cat([batches[step][0] for step in range(-(-count // batches.batch_size))])
    return [COLOURS.index(tuple(image[:, 0, 0].tolist())) for image in images[:count]]


def test_batch_is_uint8_with_binary_masks_in_the_range(flat: Batches) -> None:
    images, masks = flat[3]
    assert (images.shape, images.dtype) == ((4, 3, 32, 32), torch.uint8)
    assert (masks.shape, masks.dtype) == ((4, 1, 32, 32), torch.uint8)
    assert set(masks.unique().tolist()) == {0, 1}
    ratios = (masks == 0).double().mean((1, 2, 3))
    assert ((ratios > 0.2) & (ratios <= 0.4)).all()


def test_batch_is_a_function_of_its_step(flat: Batches, ramp: Batches) -> None:
    for batches in (flat, ramp):
        late = [part.clone() for part in batches[5]]
        fresh = replace(batches)
        for step in (5, 0, 3, 5):
            again = fresh[step]
        assert all(torch.equal(a, b) for a, b in zip(late, again, strict=True))
        assert not all(torch.equal(a, b) for a, b in zip(late, fresh[4], strict=True))


def test_every_photograph_is_visited_once_per_epoch(flat: Batches) -> None:
    # Batches of 4 do not divide six photographs: epochs meet inside a batch.
    order = seen(flat, 24)
    epochs = [order[start : start + 6] for start in range(0, 24, 6)]
    assert all(sorted(epoch) == list(range(6)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_order_does_not_depend_on_the_batch_size(flat: Batches) -> None:
    assert seen(flat, 24) == seen(replace(flat, batch_size=3), 24)


def test_two_ranks_together_see_the_batch_of_one_process(ramp: Batches) -> None:
    for step in (0, 4):
        ranks = [replace(ramp, rank=rank, world=2)[step] for rank in range(2)]
        for whole, first, second in zip(ramp[step], *ranks, strict=True):
            assert len(first) == len(second) == 4
            assert torch.equal(torch.stack([first, second], 1).flatten(0, 1), whole)


def test_seeds_differ_in_order_crops_and_masks(flat: Batches, ramp: Batches) -> None:
    assert seen(flat, 24) != seen(replace(flat, seed=1), 24)
    one, other = ramp[0], replace(ramp, seed=1)[0]
    assert not torch.equal(one[0], other[0])
    assert not torch.equal(one[1], other[1])


def test_crops_are_parts_of_the_photograph_perhaps_mirrored(ramp: Batches) -> None:
    crops = torch.cat([ramp[step][0] for step in range(12)]).int()
    lefts, tops, flips = set(), set(), set()
    for red, green, _ in crops:
        flipped = bool(red[0, 0] > red[0, -1])
        upright = red.flip(-1) if flipped else red
        left, top = int(upright[0, 0]), int(green[0, 0])
        assert torch.equal(upright, (left + torch.arange(32)).expand(32, 32).int())
        assert torch.equal(green, (top + torch.arange(32))[:, None].expand(32, 32).int())
        lefts.add(left)
        tops.add(top)
        flips.add(flipped)
    assert lefts == set(range(9))  # both edges of the 40 columns are reached
    assert tops == set(range(5))
    assert flips == {True, False}


def test_every_sample_has_a_mask_of_its_own(flat: Batches) -> None:
    masks = torch.cat([flat[step][1] for step in range(4)])
    assert len({mask.numpy().tobytes() for mask in masks}) == len(masks)
