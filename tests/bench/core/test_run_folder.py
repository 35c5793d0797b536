"""A run's folder knows its files, and which of them are pictures."""

from pathlib import Path

import pytest

from bench.core.files import write_json
from bench.core.run_folder import PairPictures, RunFolder


def test_every_file_has_a_path_of_its_own(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    kinds = (name for name, value in vars(RunFolder).items() if isinstance(value, property))
    readers = {"name", "method", "trained", "settings", "pictures"}
    paths = [getattr(folder, name) for name in kinds if name not in readers]
    assert len(set(paths)) == len(paths) > 10
    assert all(path.parent == tmp_path for path in paths)


def test_half_written_pictures_are_none(tmp_path: Path) -> None:
    pictures = PairPictures(tmp_path)
    saved = ["00000_output.png", "00012_output.png", "00012_mask-encoder-1.png"]
    others = [".00002_mask-encoder-3.16989.png", "notes_output.png", "00003_output.jpg"]
    for name in [*saved, *others]:
        (tmp_path / name).touch()
    assert pictures.pairs_with("output") == {0, 12}
    assert pictures.names() == {"output", "mask-encoder-1"}
    assert pictures.file(12, "output").exists()


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
