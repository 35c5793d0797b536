import os
from pathlib import Path

import pytest

from bench.core.errors import UserError
from bench.core.files import read_json, remove, replacing, sweep, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_name_keeps_the_suffix(tmp_path: Path) -> None:
    with replacing(tmp_path / "plot.png") as temporary:
        assert temporary.suffix == ".png" and temporary.parent == tmp_path
        temporary.write_bytes(b"x")


def test_json_survives_and_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.json"
    write_json(path, {"a": [1, 2.5, None]})
    assert read_json(path) == {"a": [1, 2.5, None]}
    path.write_text("{half")
    with pytest.raises(UserError, match=r"state\.json cannot be read"):
        read_json(path)


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_text(tmp_path / "file" / "table.md", "text")


def test_the_bytes_are_on_the_disk_before_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "table.md", []
    write_text(path, "old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(path.read_text()))
    write_text(path, "new")
    assert seen == ["old"]
    assert path.read_text() == "new"


def test_half_written_files_are_swept_and_no_others(tmp_path: Path) -> None:
    kept = [tmp_path / "records.csv", tmp_path / "pictures" / "00001_output.png"]
    left = [
        tmp_path / ".records.16989.tmp.csv",
        tmp_path / "pictures" / ".00002_mask-encoder-3.16989.tmp.png",
        tmp_path / "checkpoints" / ".00000005.tmp" / "model.safetensors",
    ]
    for path in [*kept, *left]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    sweep(tmp_path)
    assert [path for path in kept + left if path.exists()] == kept
    assert not (tmp_path / "checkpoints" / ".00000005.tmp").exists()


def test_removing_a_link_keeps_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "pictures").symlink_to(tmp_path / "precious")
    remove(tmp_path / "run" / "pictures")
    (tmp_path / "run" / "pictures").symlink_to(tmp_path / "precious")
    remove(tmp_path / "run")
    remove(tmp_path / "run")  # nothing there is nothing to do
    assert (tmp_path / "precious" / "thesis.txt").exists()
    assert not (tmp_path / "run").exists()
