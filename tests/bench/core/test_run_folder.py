"""A run's folder knows its files, and which of them are pictures."""

from pathlib import Path

import pytest

from bench.core.errors import UserError
from bench.core.files import write_json
from bench.core.run_folder import PairPictures, RunFolder


def test_every_file_has_a_path_of_its_own(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    kinds = (name for name, value in vars(RunFolder).items() if isinstance(value, property))
    readers = {"name", "method", "trained", "settings", "outputs", "pictures", "results", "lock"}
    paths = [getattr(folder, name) for name in kinds if name not in readers]
    assert len(set(paths)) == len(paths) > 10
    assert all(path.parent == tmp_path for path in paths)
    assert folder.lock.parent == tmp_path.parent  # it must outlive the folder


def test_half_written_pictures_are_none(tmp_path: Path) -> None:
    pictures = PairPictures(tmp_path, tmp_path / "pairs")
    saved = ["00000_output.webp", "00012_output.webp", "00012_mask-encoder-1.webp"]
    others = [".00002_mask-encoder-3.16989.tmp.webp", "notes_output.webp", "00003_output.jpg"]
    for name in [*saved, *others]:
        (tmp_path / name).touch()
    assert pictures.pairs_with("output") == {0, 12}
    assert pictures.names() == {"output", "mask-encoder-1"}
    assert pictures.file(12, "output").exists()


@pytest.mark.parametrize("name", ["../../escape", "/etc/passwd", "", ".hidden", "a/b"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="names a file"):
        PairPictures(tmp_path, tmp_path).file(0, name)
    folder = RunFolder(tmp_path)
    write_json(folder.identity, {"method": name})
    with pytest.raises(UserError, match=r"identity\.json is damaged"):
        _ = folder.method


@pytest.mark.parametrize("content", [[], {}, None, "full", {"method": 3.5}, {"method": None}])
def test_an_identity_of_another_shape_is_named(tmp_path: Path, content: object) -> None:
    folder = RunFolder(tmp_path)
    write_json(folder.identity, content)
    with pytest.raises(UserError, match=r"identity\.json is damaged"):
        _ = folder.method


@pytest.mark.parametrize(
    ("identity", "trained"),
    [({}, False), ({"training images": "a"}, True), ({"weights": "a"}, True)],
)
def test_settings_are_the_identity_without_method_code_and_seed(
    tmp_path: Path, identity: dict[str, str], trained: bool
) -> None:
    folder = RunFolder(tmp_path)
    write_json(
        folder.identity, {"method": "m", "code": "c", "training.seed": 1, "lr": 2, **identity}
    )
    assert folder.method == "m"
    assert folder.trained == trained
    assert folder.settings == {"lr": 2, **identity}
