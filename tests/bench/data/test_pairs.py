import hashlib
import itertools
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.core.errors import UserError
from bench.data import pairs as manifest
from bench.data.images.decode import read_rgb, resize_shorter
from bench.data.images.source import list_folder
from bench.data.masks.buckets import BUCKETS, bucket_label
from bench.data.masks.family import GeneratedMasks
from bench.data.masks.source import open_masks
from bench.data.photos import Photos, load_photos

MaskMaker = Callable[[Mapping[str, float]], Path]
MASKS = GeneratedMasks(("shapes", "boxes"))
SHARES = {"a.png": 0.15, "b.png": 0.25, "c.png": 0.35, "d.png": 0.45}


def make(photos: Photos, per_bucket: int = 4, seed: int = 0, size: int = 64) -> manifest.Manifest:
    return manifest.make(photos, MASKS, size, 66, per_bucket, seed, "test")


def test_pairs_are_balanced_over_buckets(photos: Photos) -> None:
    pairs = make(photos).pairs
    assert Counter(p.bucket for p in pairs) == {bucket_label(b): 4 for b in BUCKETS}
    for pair in pairs:
        low, high = BUCKETS[[bucket_label(b) for b in BUCKETS].index(pair.bucket)]
        assert low < pair.ratio <= high
        assert pair.ratio == pytest.approx(float((MASKS.load(pair.mask, 64) == 0).mean()), abs=1e-8)


def test_a_sample_holds_the_first_of_each_bucket_and_all_smaller_samples(
    photos: Photos,
) -> None:
    drawn = make(photos, 8)
    samples = [set(drawn.sample(n)) for n in (0, 1, 3, 8, 99)]
    assert samples[0] == set() and samples[1] == set(drawn.first_of_buckets)
    assert all(small < large for small, large in itertools.pairwise(samples[:4]))
    assert samples[3] == samples[4] == set(range(32))
    buckets = Counter(drawn.pairs[i].bucket for i in samples[2])
    assert set(buckets.values()) == {3}
    assert samples[2] != {i for first in drawn.first_of_buckets for i in range(first, first + 3)}


def test_buckets_share_their_crops_and_use_every_photograph(photos: Photos) -> None:
    pairs = make(photos, per_bucket=6).pairs
    crops = {
        bucket_label(b): [(p.image, p.top, p.left) for p in pairs if p.bucket == bucket_label(b)]
        for b in BUCKETS
    }
    assert len({tuple(row) for row in crops.values()}) == 1
    assert Counter(name for name, _, _ in crops["(0.1, 0.2]"]) == {
        "a.png": 2,
        "b.png": 2,
        "c.png": 2,
    }


def test_crops_lie_anywhere_inside_the_photograph(photos: Photos) -> None:
    pairs = manifest.make(photos, GeneratedMasks(("boxes",)), 60, 66, 120, 0, "test").pairs
    for name, (height, width) in zip(photos.names, photos.shapes, strict=True):
        tops = {p.top for p in pairs if p.image == name}
        lefts = {p.left for p in pairs if p.image == name}
        assert tops <= set(range(height - 60 + 1))
        assert lefts <= set(range(width - 60 + 1))
        # Of six steps or more, both ends and most between are met.
        assert len(tops) > 0.5 * (height - 60 + 1)
        assert len(lefts) > 0.5 * (width - 60 + 1)


def test_saved_manifest_reads_back(photos: Photos, tmp_path: Path) -> None:
    made = make(photos)
    made.save(tmp_path / "manifest.json")
    read = manifest.Manifest.read(tmp_path / "manifest.json")
    assert read == made
    assert read.hash == made.hash


@pytest.mark.parametrize("field", ["top", "mask", "ratio", "bucket"])
def test_tampered_pair_is_refused(photos: Photos, tmp_path: Path, field: str) -> None:
    path = tmp_path / "manifest.json"
    make(photos).save(path)
    values = json.loads(path.read_text())
    values["pairs"][5][field] = values["pairs"][0][field] if field != "top" else 1000
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"manifest\.json was changed"):
        manifest.Manifest.read(path)


def test_removed_pair_is_noticed(photos: Photos, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    make(photos).save(path)
    values = json.loads(path.read_text())
    del values["pairs"][0]
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match="was changed"):
        manifest.Manifest.read(path)


def test_mask_families_are_counted_by_bucket_and_stand_in_the_file(
    photos: Photos, tmp_path: Path, mask_folder: MaskMaker
) -> None:
    mixed = make(photos).mask_families
    assert list(mixed) == [bucket_label(b) for b in BUCKETS]
    assert {family for counts in mixed.values() for family in counts} == {"boxes", "shapes"}
    assert all(sum(counts.values()) == 4 for counts in mixed.values())
    files = open_masks(f"masks:{mask_folder(SHARES)}", "hole-white", Path("/no/data/root"))
    made = manifest.make(photos, files, 64, 66, 2, 0, "test")
    made.save(tmp_path / "manifest.json")
    counts = json.loads((tmp_path / "manifest.json").read_text())["mask_families"]
    assert counts == {bucket_label(b): {"files": 2} for b in BUCKETS}


def test_changed_mask_families_are_refused(photos: Photos, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    make(photos).save(path)
    values = json.loads(path.read_text())
    values["mask_families"]["(0.1, 0.2]"] = {"shapes": 4}
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match="was changed"):
        manifest.Manifest.read(path)


def test_a_file_without_mask_families_has_another_version(photos: Photos, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    make(photos).save(path)
    values = json.loads(path.read_text())
    del values["mask_families"]
    path.write_text(json.dumps(values | {"version": 1}))
    with pytest.raises(UserError, match=r"has version 1, and .* reads version 2; draw the pairs"):
        manifest.Manifest.read(path)


def test_another_version_is_told_from_a_change(photos: Photos, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    make(photos).save(path)
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"version": 99}))
    with pytest.raises(UserError, match=r"has version 99, and this program reads version 2") as e:
        manifest.Manifest.read(path)
    assert "changed" not in str(e.value)


@pytest.mark.parametrize("text", ["[]", "{}", '{"version": 2, "hash": "x"}', "not json", ""])
def test_foreign_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "foreign.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"foreign\.json"):
        manifest.Manifest.read(path)


def resaved(path: Path, whole: dict[str, object], pair: dict[str, object]) -> None:
    """Change a manifest, and write the hash that its content then gives."""
    values = json.loads(path.read_text())
    values["pairs"] = [values["pairs"][0] | pair, *values["pairs"][1:]]
    values |= whole
    stated = {name: values.pop(name) for name in ("version", "hash", "mask_families")}
    stated["hash"] = hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]
    path.write_text(json.dumps(stated | values))


@pytest.mark.parametrize(
    ("whole", "pair", "problem"),
    [
        ({"pairs": 3}, {}, "has no list of pairs"),
        ({"pairs": [3]}, {}, "does not hold exactly pair 0's image, top"),
        ({"extra": 3}, {}, "does not hold exactly size, resize"),
        ({"size": 64.0}, {}, r"has 64\.0 as size"),
        ({"size": True}, {}, "has True as size"),
        ({"resize": "66"}, {}, "has '66' as resize"),
        ({"image_digest": None}, {}, "has None as image_digest"),
        ({"mask_source": []}, {}, r"has \[\] as mask_source"),
        ({}, {"image": 3}, "has 3 as pair 0's image"),
        ({}, {"top": 1.5}, r"has 1\.5 as pair 0's top"),
        ({}, {"left": "1"}, "has '1' as pair 0's left"),
        ({}, {"mask": {}}, "has {} as pair 0's mask"),
        ({}, {"mask_hash": 5}, "has 5 as pair 0's mask_hash"),
        ({}, {"ratio": "0.1"}, "has '0.1' as pair 0's ratio"),
        ({}, {"bucket": ["(0.1, 0.2]"]}, "has .* as pair 0's bucket"),
        ({}, {"more": 1}, "does not hold exactly pair 0's image, top"),
    ],
)
def test_wrong_names_and_types_are_told(
    photos: Photos, tmp_path: Path, whole: dict[str, object], pair: dict, problem: str
) -> None:
    path = tmp_path / "manifest.json"
    make(photos).save(path)
    resaved(path, whole, pair)
    with pytest.raises(UserError, match=rf"manifest\.json {problem}.*; .*draw the pairs again"):
        manifest.Manifest.read(path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"pairs": ()}, "has no pairs"),
        ({"size": -64}, "has a size of -64 for a resize of 66"),
        ({"size": 67}, "has a size of 67 for a resize of 66"),
        ({"ratio": float("nan")}, "has nan as pair 0's ratio"),
        ({"ratio": 0.35}, r"has 0\.35 as pair 0's ratio in bucket '\(0\.1, 0\.2\]'"),
        ({"bucket": "(0.1, 9]"}, r"has .* ratio in bucket '\(0\.1, 9\]'"),
    ],
)
def test_content_that_fits_its_hash_and_nothing_else_is_told(
    photos: Photos, tmp_path: Path, change: dict, problem: str
) -> None:
    changed(make(photos), change).save(tmp_path / "manifest.json")
    with pytest.raises(UserError, match=rf"manifest\.json {problem}.*draw the pairs again"):
        manifest.Manifest.read(tmp_path / "manifest.json")


def changed(made: manifest.Manifest, change: dict) -> manifest.Manifest:
    """Return a manifest with changed fields of its own, or of its first pair."""
    if change.keys() & {"pairs", "size"}:
        return replace(made, **change)
    return replace(made, pairs=(replace(made.pairs[0], **change), *made.pairs[1:]))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"image": "absent.png"}, "no test image has the name 'absent.png'"),
        ({"top": -1}, "top -1, left [0-9]+ is not inside image"),
        ({"left": 1000}, "top [0-9]+, left 1000 is not inside image"),
    ],
)
def test_pair_outside_the_images_is_told(photos: Photos, change: dict, problem: str) -> None:
    with pytest.raises(UserError, match=rf"pair 0 of the manifest: .*{problem}.*draw the pairs"):
        manifest.FrozenPairs(changed(make(photos), change), photos, MASKS)


@pytest.mark.parametrize("change", [{"mask": "shapes/test/0/99/x"}, {"ratio": 0.11}])
def test_every_mask_can_be_checked_at_once(photos: Photos, change: dict) -> None:
    manifest.FrozenPairs(make(photos), photos, MASKS).check_masks()
    pairs = manifest.FrozenPairs(changed(make(photos), change), photos, MASKS)
    with pytest.raises(UserError, match=r"mask shapes.* --test-masks"):
        pairs.check_masks()


def test_equal_inputs_give_equal_hashes_and_others_do_not(
    photos: Photos, album: Path, tmp_path: Path
) -> None:
    assert make(photos).hash == make(photos).hash
    others = [
        make(photos),
        make(photos, seed=1),
        make(photos, size=48),
        make(photos, per_bucket=3),
        manifest.make(photos, MASKS, 64, 66, 4, 0, "validation"),
        manifest.make(photos, GeneratedMasks(("strokes",)), 64, 66, 4, 0, "test"),
        make(load_photos(list_folder(album)[:2], 66, 64, tmp_path / "cache")),
    ]
    assert len({m.hash for m in others}) == len(others)


def test_bucket_without_a_mask_is_named(photos: Photos, mask_folder: MaskMaker) -> None:
    masks = open_masks(
        f"masks:{mask_folder({'a.png': 0.15, 'b.png': 0.25})}", "hole-white", Path("/no/data/root")
    )
    with pytest.raises(UserError, match=r"hole ratio in \(0\.3, 0\.4\].*--polarity"):
        manifest.make(photos, masks, 64, 66, 1, 0, "test")


def test_too_few_masks_are_used_again_with_a_warning(
    photos: Photos, mask_folder: MaskMaker, caplog: pytest.LogCaptureFixture
) -> None:
    masks = open_masks(
        f"masks:{mask_folder({**SHARES, 'e.png': 0.16})}", "hole-white", Path("/no/data/root")
    )
    with caplog.at_level(logging.WARNING):
        pairs = manifest.make(photos, masks, 64, 66, 3, 0, "test").pairs
    assert "bucket (0.1, 0.2]: 2 masks for 3 pairs, used again" in caplog.text
    assert "bucket (0.4, 0.5]: 1 masks for 3 pairs, used again" in caplog.text
    assert [p.mask for p in pairs[-3:]] == ["d.png"] * 3
    assert len({(p.image, p.top, p.left) for p in pairs[-3:]}) == 3
    assert sorted(Counter(p.mask for p in pairs[:3]).values()) == [1, 2]


def test_enough_masks_raise_no_warning(
    photos: Photos, mask_folder: MaskMaker, caplog: pytest.LogCaptureFixture
) -> None:
    masks = open_masks(f"masks:{mask_folder(SHARES)}", "hole-white", Path("/no/data/root"))
    with caplog.at_level(logging.WARNING):
        manifest.make(photos, masks, 64, 66, 1, 0, "test")
    assert caplog.text == ""


def test_other_images_are_refused(photos: Photos, album: Path, tmp_path: Path) -> None:
    made = make(photos)
    Image.new("RGB", (90, 70)).save(album / "a.png")
    changed = load_photos(list_folder(album), 66, 64, tmp_path / "cache")
    with pytest.raises(UserError, match="test images are not those the manifest was made from"):
        manifest.FrozenPairs(made, changed, MASKS)


def test_images_of_another_resize_are_refused(photos: Photos, album: Path, tmp_path: Path) -> None:
    other = load_photos(list_folder(album), 70, 64, tmp_path / "cache")
    with pytest.raises(UserError, match="--resize"):
        manifest.FrozenPairs(make(photos), other, MASKS)


def test_mask_changed_on_disk_is_refused(photos: Photos, mask_folder: MaskMaker) -> None:
    folder = mask_folder(SHARES)
    masks = open_masks(f"masks:{folder}", "hole-white", Path("/no/data/root"))
    made = manifest.make(photos, masks, 64, 66, 1, 0, "test")
    pairs = manifest.FrozenPairs(made, photos, masks)
    changed = [i for i, p in enumerate(made.pairs) if p.mask == "b.png"]
    pixels = np.asarray(Image.open(folder / "b.png")).copy()
    pixels[0, 0] = 255 - pixels[0, 0]
    Image.fromarray(pixels).save(folder / "b.png")
    with pytest.raises(UserError, match=r"mask b\.png is not the one"):
        pairs.batch(changed)


def test_batch_holds_the_crops_and_masks(photos: Photos, album: Path) -> None:
    made = make(photos)
    pairs = manifest.FrozenPairs(made, photos, MASKS)
    assert len(pairs) == 16
    chosen = [3, 0, 14]
    images, masks = pairs.batch(chosen)
    assert (images.shape, images.dtype) == ((3, 3, 64, 64), torch.uint8)
    assert (masks.shape, masks.dtype) == ((3, 1, 64, 64), torch.uint8)
    for row, index in enumerate(chosen):
        pair = made.pairs[index]
        photo = resize_shorter(read_rgb(album / pair.image), 66)
        crop = photo[pair.top : pair.top + 64, pair.left : pair.left + 64]
        assert np.array_equal(images[row].permute(1, 2, 0).numpy(), crop)
        assert np.array_equal(masks[row, 0].numpy(), MASKS.load(pair.mask, 64))
        assert 1 - masks[row].double().mean().item() == pytest.approx(pair.ratio, abs=1e-8)


def test_manifest_read_back_gives_the_same_pixels(photos: Photos, tmp_path: Path) -> None:
    made = make(photos)
    made.save(tmp_path / "m.json")
    read = manifest.Manifest.read(tmp_path / "m.json")
    for one, other in zip(
        manifest.FrozenPairs(made, photos, MASKS).batch([1, 7]),
        manifest.FrozenPairs(read, photos, MASKS).batch([1, 7]),
        strict=True,
    ):
        assert torch.equal(one, other)
