import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from bench.core.digests import FileDigests
from bench.core.errors import UserError
from bench.data.masks.buckets import BUCKETS, bucket_label, bucket_of, hole_ratio, mask_hash
from bench.data.masks.files import FileMasks
from bench.data.masks.polarity import Polarity, read_mask
from bench.data.masks.source import MaskSource, open_masks

MaskMaker = Callable[[Mapping[str, float]], Path]
SHARES = {f"{b}{k}.png": 0.15 + 0.1 * b + 0.01 * k for b in range(4) for k in range(3)}


def resolve(spec: str, polarity: Polarity | Literal[""]) -> MaskSource:
    return open_masks(spec, polarity, Path("/no/data/root"))


def left_white(folder: Path, share: float = 0.25) -> Path:
    """A folder with one mask, white on the left."""
    folder.mkdir()
    pixels = np.zeros((64, 64), np.uint8)
    pixels[:, : round(64 * share)] = 255
    Image.fromarray(pixels).save(folder / "left.png")
    return folder


def test_white_is_the_hole_where_it_is_declared(tmp_path: Path) -> None:
    masks = resolve(f"masks:{left_white(tmp_path / 'm')}", "hole-white")
    mask = masks.load("left.png", 64)
    assert (mask[:, :16] == 0).all()
    assert (mask[:, 16:] == 1).all()


def test_black_is_the_hole_where_it_is_declared(tmp_path: Path) -> None:
    masks = resolve(f"masks:{left_white(tmp_path / 'm', 0.75)}", "hole-black")
    mask = masks.load("left.png", 64)
    assert (mask[:, :48] == 1).all()
    assert (mask[:, 48:] == 0).all()


def test_undeclared_polarity_is_refused_with_both_switches(tmp_path: Path) -> None:
    folder = left_white(tmp_path / "m")
    with pytest.raises(UserError, match="--polarity hole-white or --polarity hole-black"):
        resolve(f"masks:{folder}", "")


def test_threshold_lies_at_half(tmp_path: Path) -> None:
    path = tmp_path / "levels.png"
    Image.fromarray(np.array([[0, 1, 127, 128, 254, 255]], np.uint8)).save(path)
    assert read_mask(path, polarity="hole-white").tolist() == [[1, 1, 1, 0, 0, 0]]
    assert read_mask(path, polarity="hole-black").tolist() == [[0, 0, 0, 1, 1, 1]]


def test_masks_are_resized_to_the_nearest_pixel(tmp_path: Path) -> None:
    source = np.random.default_rng(1).integers(0, 2, (100, 80)).astype(np.uint8) * 255
    Image.fromarray(source).save(tmp_path / "m.png")
    mask = read_mask(tmp_path / "m.png", polarity="hole-white", size=64)
    rows, columns = (((np.arange(64) + 0.5) * n / 64).astype(int) for n in source.shape)
    assert np.array_equal(mask, source[np.ix_(rows, columns)] == 0)
    assert mask.dtype == np.uint8


def test_mask_of_several_formats_is_one_mask(tmp_path: Path) -> None:
    known = np.random.default_rng(2).integers(0, 2, (20, 20)).astype(bool)
    Image.fromarray(known).save(tmp_path / "bit.png")
    Image.fromarray(known.astype(np.uint8) * 255).save(tmp_path / "gray.png")
    Image.fromarray(np.repeat(known[..., None], 3, 2).astype(np.uint8) * 255).save(
        tmp_path / "rgb.png"
    )
    Image.fromarray(known.astype(np.uint16) * 65535).save(tmp_path / "deep.png")
    for path in tmp_path.iterdir():
        assert np.array_equal(read_mask(path, polarity="hole-black"), known), path.name


@pytest.mark.parametrize(
    ("polarity", "share", "switch"),
    [
        ("hole-white", 0.75, "--polarity hole-black"),
        ("hole-black", 0.25, "--polarity hole-white"),
    ],
)
def test_mostly_hole_names_the_other_switch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, polarity: str, share: float, switch: str
) -> None:
    with caplog.at_level(logging.WARNING):
        resolve(f"masks:{left_white(tmp_path / 'm', share)}", polarity)
    assert switch in caplog.text
    assert "75 % is hole" in caplog.text


def test_masks_of_likely_polarity_are_not_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        resolve(f"masks:{left_white(tmp_path / 'm')}", "hole-white")
    assert caplog.text == ""


@pytest.mark.parametrize("source", ["files", "generated"])
def test_buckets_are_filled_equally_with_their_own_ratios(
    mask_folder: MaskMaker, source: str
) -> None:
    spec = f"masks:{mask_folder(SHARES)}" if source == "files" else "shapes,strokes,boxes"
    found = resolve(spec, "hole-white").by_bucket(64, 0, "test", 2)
    assert list(found) == [bucket_label(b) for b in BUCKETS]
    for bucket, row in found.items():
        assert len(row) == 2
        assert len({name for name, _ in row}) == 2
        assert all(bucket_of(hole_ratio(mask)) == bucket for _, mask in row)


def test_buckets_are_drawn_apart() -> None:
    # From one stream, a small hole of `shapes` would lie inside every larger one.
    found = list(resolve("shapes", "").by_bucket(64, 0, "test", 3).values())
    for small, large in zip(found[0], found[3], strict=True):
        assert ((small[1] == 0) & (large[1] == 1)).any()


def test_files_are_drawn_by_seed_and_purpose(mask_folder: MaskMaker) -> None:
    masks = resolve(f"masks:{mask_folder(SHARES)}", "hole-white")

    def drawn(seed: int, purpose: str) -> list[str]:
        found = masks.by_bucket(64, seed, purpose, 2)
        return [name for row in found.values() for name, _ in row]

    assert drawn(0, "test") == drawn(0, "test")
    assert drawn(0, "test") != drawn(1, "test")
    assert drawn(0, "test") != drawn(0, "validation")


def test_files_outside_the_buckets_are_left_out(mask_folder: MaskMaker) -> None:
    folder = mask_folder({"low.png": 0.05, "fits.png": 0.15, "high.png": 0.55})
    found = resolve(f"masks:{folder}", "hole-white").by_bucket(64, 0, "test", 3)
    assert [[name for name, _ in row] for row in found.values()] == [["fits.png"], [], [], []]


@pytest.mark.parametrize("source", ["files", "generated"])
def test_name_loads_the_same_mask_again(mask_folder: MaskMaker, source: str) -> None:
    spec = f"masks:{mask_folder(SHARES)}" if source == "files" else "shapes,strokes"
    found = resolve(spec, "hole-white").by_bucket(48, 5, "test", 2)
    again = resolve(spec, "hole-white")
    for name, mask in (pair for row in found.values() for pair in row):
        assert np.array_equal(again.load(name, 48), mask)


def test_generated_name_says_its_families_itself() -> None:
    name, mask = resolve("boxes", "").by_bucket(48, 0, "test", 1)["(0.2, 0.3]"][0]
    assert np.array_equal(resolve("shapes", "").load(name, 48), mask)


def test_unknown_mask_file_is_named(mask_folder: MaskMaker) -> None:
    masks = resolve(f"masks:{mask_folder(SHARES)}", "hole-white")
    with pytest.raises(UserError, match=r"mask absent\.png .*--test-masks"):
        masks.load("absent.png", 64)


def test_file_name_given_to_generated_masks_is_a_user_error() -> None:
    # A manifest made with mask files, opened without --test-masks.
    with pytest.raises(UserError, match=r"00007\.png"):
        resolve("shapes", "").load("00007.png", 64)


def test_training_masks_are_files_perhaps_mirrored(mask_folder: MaskMaker) -> None:
    folder = mask_folder({"a.png": 0.2, "b.png": 0.3})
    masks = resolve(f"masks:{folder}", "hole-white")
    known = {
        flipped.tobytes(): (path.name, number)
        for path in folder.iterdir()
        for number, flipped in enumerate(mirrored(read_mask(path, polarity="hole-white")))
    }
    drawn = [masks.training(64, (0.1, 0.5), 0, position) for position in range(64)]
    assert {known[mask.tobytes()] for mask in drawn} == set(known.values())
    assert np.array_equal(masks.training(64, (0.1, 0.5), 0, 9), drawn[9])


def mirrored(mask: np.ndarray) -> list[np.ndarray]:
    return [mask, mask[::-1], mask[:, ::-1], mask[::-1, ::-1]]


def test_generated_training_masks_keep_to_the_range() -> None:
    masks = resolve("shapes,strokes,boxes", "")
    drawn = [masks.training(64, (0.3, 0.4), 0, position) for position in range(30)]
    assert all(0.3 < hole_ratio(mask) <= 0.4 for mask in drawn)
    assert len({mask.tobytes() for mask in drawn}) == 30


@pytest.mark.parametrize(
    ("spec", "near"),
    [("shape", "shapes"), ("nvidai", "nvidia"), ("nvidia:", "nvidia"), ("shapes,box", "boxes")],
)
def test_unknown_source_gives_the_nearest_names(spec: str, near: str) -> None:
    with pytest.raises(UserError, match=f"unknown mask source .*did you mean.*{near}"):
        resolve(spec, "")


def test_digest_tells_families_files_and_polarity_apart(
    mask_folder: MaskMaker, tmp_path: Path
) -> None:
    folder = mask_folder(SHARES)
    digests = {
        resolve("shapes", "").digest,
        resolve("shapes,boxes", "").digest,
        FileMasks.open(folder, "hole-white").digest,
        FileMasks.open(folder, "hole-black").digest,
    }
    (folder / "00.png").rename(folder / "renamed.png")
    digests.add(FileMasks.open(folder, "hole-white").digest)
    assert len(digests) == 5
    before = FileMasks.open(folder, "hole-white").digest
    folder.rename(tmp_path / "moved")
    assert FileMasks.open(tmp_path / "moved", "hole-white").digest == before


def test_mask_hash_depends_on_pixels_and_shape() -> None:
    mask = np.ones((4, 6), np.uint8)
    other = mask.copy()
    other[3, 5] = 0
    hashes = {mask_hash(mask), mask_hash(other), mask_hash(mask.reshape(6, 4))}
    assert len(hashes) == 3
    assert mask_hash(mask.copy()) == mask_hash(mask)


@pytest.mark.parametrize("kind", ["masks", "nvidia", "paper"])
def test_digest_covers_the_bytes_of_the_files(tmp_path: Path, kind: str) -> None:
    folder = left_white(tmp_path / "m")
    file = (folder / "left.png").rename(folder / "02000.bmp")
    pixels = np.zeros((64, 64), np.uint8)
    pixels[:, :16] = 255
    Image.fromarray(pixels).save(file)
    before, size = resolve(f"{kind}:{folder}", "hole-white").digest, file.stat().st_size
    Image.fromarray(pixels[:, ::-1]).save(file)  # the hole is on the other side
    assert file.stat().st_size == size
    assert resolve(f"{kind}:{folder}", "hole-white").digest != before


def test_digests_of_a_request_save_hashing_again(tmp_path: Path) -> None:
    folder, memory = left_white(tmp_path / "m"), tmp_path / "memory"
    assert open_masks(f"masks:{folder}", "hole-white", tmp_path, digests=FileDigests(memory)).digest
    assert (folder / "left.png").as_posix() in (memory / "digests.json").read_text()


def test_damaged_mask_is_named(tmp_path: Path) -> None:
    file = left_white(tmp_path / "m") / "left.png"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"left\.png is damaged"):
        resolve(f"masks:{tmp_path / 'm'}", "hole-white")


@pytest.mark.parametrize(
    "name",
    [
        "shapes/test/0/99/x",
        "shapes/test/0/9/0",
        "shapes/test/0/²/0",
        "shapes/test/0/1/" + "9" * 5000,
    ],
)
def test_malformed_name_of_a_generated_mask_is_a_user_error(name: str) -> None:
    with pytest.raises(UserError, match=r"is not a generated one; .*--test-masks"):
        resolve("shapes", "").load(name, 64)
