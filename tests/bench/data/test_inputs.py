import itertools
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.config import Config, override
from bench.core.errors import UserError
from bench.data.images.source import SPLITS
from bench.data.inputs import Inputs
from bench.data.masks import family, files, packed
from bench.data.masks.polarity import Polarity, read_mask
from bench.presets import preset

MaskMaker = Callable[[Mapping[str, float]], Path]
SHARES = {f"0{2 * b + 2}00{k}.png": 0.15 + 0.1 * b for b in range(4) for k in range(2)}


@pytest.fixture
def root(tmp_path: Path, mask_folder: MaskMaker) -> Path:
    """A data root with a tiny Paris StreetView and tiny NVIDIA masks."""
    base = tmp_path / "data"
    stream = np.random.default_rng(0)
    for i in range(6):
        below = "paris_train_original" if i < 4 else "paris_eval/paris_eval_gt"
        path = base / "paris_streetview" / below / (f"{i}.JPG" if i < 4 else f"00{i}_im.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(stream.integers(0, 256, (70, 90, 3), dtype=np.uint8)).save(path)
    mask_folder(SHARES).rename(base / "nvidia_masks")
    return base


def tiny(root: Path, **values: object) -> Config:
    small = {"size": 64, "resize": 66, "pairs": 2, "batch_size": 2, "data_root": str(root)}
    return override(preset("paper"), {**small, **values})


def test_the_papers_preset_runs_on_the_papers_data(root: Path, tmp_path: Path) -> None:
    config = tiny(root)
    cache = tmp_path / "cache"
    images, masks = Inputs(config, cache).train[0]
    assert images.shape == (2, 3, 64, 64)
    assert masks.shape == (2, 1, 64, 64)
    assert "6000 shapes and 8 files" in Inputs(config, cache).train.masks.name
    pairs = Inputs(config, cache).test
    assert {p.image for p in pairs.manifest.pairs} == {"004_im.png", "005_im.png"}
    assert len(pairs) == 8
    held_out = {p.image for p in Inputs(config, cache).validation.manifest.pairs}
    assert held_out == set(Inputs(config, cache).splits()["val"]["names"])


def test_the_papers_preset_without_data_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Paris StreetView is not in"):
        Inputs(tiny(tmp_path), tmp_path / "cache").photos("train")
    config = tiny(tmp_path, images="sample")
    for part in ("train", "test", "validation"):
        with pytest.raises(UserError, match=r"NVIDIA.* is not in .*nvidia_masks"):
            getattr(Inputs(config, tmp_path / "cache"), part)


def test_masks_of_testing_are_of_the_test_part(root: Path, tmp_path: Path) -> None:
    for part in ("train", "test"):
        for b, share in enumerate((0.15, 0.25, 0.35, 0.45)):
            pixels = np.full((64, 64), 255, np.uint8)
            pixels[:, : round(64 * share)] = 0
            path = root / "qd_imd" / part / f"{b:05}_{part}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    config = tiny(root, masks="qd-imd", pairs=1, validation_pairs=1)
    tested = Inputs(config, tmp_path / "cache").test.manifest.pairs
    assert sorted(p.mask for p in tested) == [f"test/{b:05}_test.png" for b in range(4)]
    held = Inputs(config, tmp_path / "cache").validation.manifest.pairs
    assert sorted(p.mask for p in held) == [f"train/{b:05}_train.png" for b in range(4)]
    batches = Inputs(config, tmp_path / "cache").train
    assert {n.partition("/")[0] for n in batches.masks.names} == {"train"}  # type: ignore[attr-defined]


def test_splits_record_what_was_drawn(root: Path, tmp_path: Path) -> None:
    config = tiny(root)
    record = Inputs(config, tmp_path / "cache").splits()
    assert record == json.loads(json.dumps(record))
    assert list(record) == list(SPLITS)
    assert [record[s]["images"] for s in SPLITS] == [2, 2, 2]
    assert {record[s]["source"] for s in SPLITS} == {"paris"}
    assert "names" not in record["train"]
    assert record["test"]["names"] == ["004_im.png", "005_im.png"]
    assert len(record["val"]["names"]) == 2
    batches = Inputs(config, tmp_path / "cache").train
    assert record["train"]["digest"] == batches.photos.digest
    assert not set(batches.photos.names) & set(record["val"]["names"])
    assert len({record[s]["digest"] for s in SPLITS}) == 3


def test_splits_name_no_place(root: Path, tmp_path: Path) -> None:
    folder = root / "paris_streetview" / "paris_eval" / "paris_eval_gt"
    record = Inputs(tiny(root, test_images=f"folder:{folder}"), tmp_path / "cache").splits()
    assert record["test"]["source"] == "folder"
    assert record["test"]["names"] == ["004_im.png", "005_im.png"]
    assert record["val"]["source"] == "paris"
    assert str(root) not in json.dumps(record)


@pytest.mark.parametrize("kind", ["paper", "nvidia", "masks", "qd-imd"])
def test_mask_files_are_decoded_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "qd-imd":
        found = list((root / "nvidia_masks").glob("*.png"))
        for file, part in itertools.product(found, ("train", "test")):
            file.with_name(f"{file.stem}_{part}.png").hardlink_to(file)
    spec = kind if kind == "paper" else f"{kind}:{root / 'nvidia_masks'}"
    config = tiny(root, masks=spec, polarity="hole-white", validation_pairs=1)

    def everything() -> list[np.ndarray]:
        data = Inputs(config, tmp_path / "cache")
        steps = [data.train[step][1] for step in range(8)]
        pairs = [found.batch(range(len(found)))[1] for found in (data.test, data.validation)]
        return [batch.numpy() for batch in steps + pairs]

    first = everything()

    def only_looked_at(path: Path, polarity: Polarity, size: int | None = None) -> np.ndarray:
        assert size is None, f"{path} was decoded again"
        return read_mask(path, polarity)

    for module in (files, packed):
        monkeypatch.setattr(module, "read_mask", only_looked_at)
    assert all(np.array_equal(a, b) for a, b in zip(first, everything(), strict=True))


def test_masks_that_cannot_be_drawn_are_refused_before_the_training(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(family, "ATTEMPTS", 3)
    config = tiny(root, masks="strokes", ratio=(0.0, 0.0005))
    with pytest.raises(UserError, match=r"no strokes mask .*--ratio"):
        _ = Inputs(config, tmp_path / "cache").train


def test_rehash_reads_all_data_again(root: Path, tmp_path: Path) -> None:
    def digests(**options: bool) -> dict[str, str]:
        return Inputs(tiny(root, **options), tmp_path / "cache").digests()

    before = digests()
    mask = root / "nvidia_masks" / "02000.png"
    facts = mask.stat()
    mask.write_bytes(mask.read_bytes()[:-1] + b"\0")
    os.utime(mask, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert digests() == before
    after = digests(rehash=True)
    assert after["training masks"] != before["training masks"]
    assert after["training images"] == before["training images"]
    assert digests() == after


def test_masks_of_a_given_manifest_are_checked_at_once(root: Path, tmp_path: Path) -> None:
    config, path = tiny(root), tmp_path / "manifest.json"
    Inputs(config, tmp_path / "cache").test.manifest.save(path)
    config = override(config, {"manifest": str(path)})
    assert len(Inputs(config, tmp_path / "cache").test) == 8
    for file in (root / "nvidia_masks").glob("02*.png"):
        Image.new("L", (64, 64)).save(file)
    with pytest.raises(UserError, match=r"mask 02.*png is not the one .*--test-masks"):
        _ = Inputs(config, tmp_path / "cache").test


def test_wrong_manifest_is_told_before_photographs_are_decoded(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("[]")
    with pytest.raises(UserError, match=r"manifest\.json is not a manifest"):
        _ = Inputs(tiny(root, manifest=str(path)), tmp_path / "cache").test
    assert not (tmp_path / "cache").exists()
