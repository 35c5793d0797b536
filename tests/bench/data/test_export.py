"""Exported pairs: what lies in the folder, and what is never lost or half written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.core.errors import UserError
from bench.data import export as exports
from bench.data import pairs as manifest
from bench.data.export import Form, export
from bench.data.masks.family import GeneratedMasks
from bench.data.pairs import FrozenPairs, Manifest
from bench.data.photos import Photos

PLAIN = Form("folders", "white", truth=False)


@pytest.fixture
def pairs(photos: Photos) -> FrozenPairs:
    masks = GeneratedMasks(("shapes",))
    return FrozenPairs(manifest.make(photos, masks, 64, 66, 2, 0, "test"), photos, masks)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_every_pair_is_there_as_it_is_measured(pairs: FrozenPairs, tmp_path: Path) -> None:
    to = tmp_path / "some" / "pairs"
    export(pairs, to, Form("folders", "white", truth=True), "measure them")
    for number in range(len(pairs)):
        image, mask = (x[0].permute(1, 2, 0).numpy() for x in pairs.batch([number]))
        name = f"{number:05d}.png"
        np.testing.assert_array_equal(pixels(to / "truth" / name), image)
        np.testing.assert_array_equal(pixels(to / "images" / name), image * mask)
        np.testing.assert_array_equal(pixels(to / "masks" / name), 255 * (1 - mask[..., 0]))
    names = {f"{kind}/{n:05d}.png" for kind in ("images", "masks", "truth") for n in range(8)}
    assert files(to) == names | {"README.md", "pairs.json"}
    assert Manifest.read(to / "pairs.json") == pairs.manifest
    assert files(tmp_path) == {f"some/pairs/{name}" for name in files(to)} | {
        name for name in files(tmp_path) if name.startswith(("album/", "cache/"))
    }  # nothing temporary stays


def test_the_readme_says_what_the_folder_holds(pairs: FrozenPairs, tmp_path: Path) -> None:
    export(pairs, tmp_path / "a", PLAIN, "python -m bench evaluate --size 64")
    text = (tmp_path / "a" / "README.md").read_text()
    for told in (
        "8 pairs of 64x64", pairs.manifest.hash, "A blanked pixel is black: 0", "White is hole",
        f"--image={tmp_path}/a/images --mask={tmp_path}/a/masks", "python -m bench evaluate --size",
    ):  # fmt: skip
        assert told in text
    assert "truth" not in text


def test_masks_have_the_colour_that_is_asked_for(pairs: FrozenPairs, tmp_path: Path) -> None:
    export(pairs, tmp_path / "a", Form("folders", "black", truth=False), "")
    mask = pairs.batch([3])[1][0, 0].numpy()
    np.testing.assert_array_equal(pixels(tmp_path / "a" / "masks" / "00003.png"), 255 * mask)
    text = (tmp_path / "a" / "README.md").read_text()
    assert "Black is hole" in text and "iopaint run" not in text


def test_lamas_layout_pairs_each_image_with_its_mask(pairs: FrozenPairs, tmp_path: Path) -> None:
    export(pairs, tmp_path / "a", Form("lama", "white", truth=False), "")
    both = {f"lama/{n:05d}{kind}.png" for n in range(8) for kind in ("", "_mask")}
    assert files(tmp_path / "a") == both | {"README.md", "pairs.json"}
    hole = pixels(tmp_path / "a" / "lama" / "00005_mask.png") == 255
    assert not pixels(tmp_path / "a" / "lama" / "00005.png")[hole].any() and hole.any()
    assert f"indir={tmp_path}/a/lama" in (tmp_path / "a" / "README.md").read_text()
    with pytest.raises(UserError, match="LaMa reads white as hole"):
        Form("lama", "black", truth=False)


def test_an_export_is_replaced_whole_and_nothing_else_is(
    pairs: FrozenPairs, tmp_path: Path
) -> None:
    to = tmp_path / "a"
    to.mkdir()
    export(pairs, to, Form("lama", "white", truth=True), "")
    export(pairs, to, PLAIN, "")
    assert {path.name for path in to.iterdir()} == {"images", "masks", "README.md", "pairs.json"}
    for name in ("notes.txt", "images/mine.png", "outputs/00000.png"):
        (to / name).parent.mkdir(exist_ok=True)
        (to / name).write_text("mine")
        with pytest.raises(UserError, match=f"--to {to} is there and no export"):
            export(pairs, to, PLAIN, "")
        (to / name).unlink()
    (to / "pairs.json").unlink()  # now nothing says that the pictures come from an export
    before = files(to)
    with pytest.raises(UserError, match="choose a new or an empty folder"):
        export(pairs, to, PLAIN, "")
    assert files(to) == before
    with pytest.raises(UserError, match="choose a new or an empty folder"):
        export(pairs, to / "README.md", PLAIN, "")


def test_a_failure_leaves_nothing_and_loses_nothing(
    pairs: FrozenPairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(pairs, tmp_path / "a", PLAIN, "")
    before, save = files(tmp_path), exports._save

    def full(path: Path, picture: np.ndarray) -> None:
        if path.name == "00004.png":
            raise OSError(28, "No space left on device")
        save(path, picture)

    monkeypatch.setattr(exports, "_save", full)
    for name in ("a", "b"):
        with pytest.raises(UserError, match=f"cannot write {tmp_path / name}: No space left"):
            export(pairs, tmp_path / name, PLAIN, "")
    assert files(tmp_path) == before
