import shutil
import subprocess
from pathlib import Path

import pytest

from bench.core import sums


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three files, two of which have a sum."""
    (tmp_path / "deep").mkdir()
    for name in ("a.csv", "deep/b.png", "extra"):
        (tmp_path / name).write_text(name)
    sums.write(tmp_path, [tmp_path / "a.csv", tmp_path / "deep" / "b.png"])
    return tmp_path


def test_files_as_they_were_are_sound(folder: Path) -> None:
    assert sums.damaged(folder) == {}
    sums.check(folder / "a.csv")
    sums.check(folder / "extra")  # from elsewhere


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_the_usual_program_reads_the_sums(folder: Path) -> None:
    words = ["sha256sum", "--check", sums.FILE]
    assert subprocess.run(words, cwd=folder, check=False).returncode == 0
    (folder / "a.csv").write_text("A.csv")
    assert subprocess.run(words, cwd=folder, check=False).returncode == 1


def test_a_changed_a_missing_and_an_unknown_file_are_damaged(folder: Path) -> None:
    (folder / "a.csv").write_text("A.csv")
    (folder / "deep" / "b.png").unlink()
    assert sums.damaged(folder, [folder / "extra"]) == {
        "a.csv": "was changed after it was written",
        "deep/b.png": "is missing",
        "extra": "has no sum in SHA256SUMS",
    }
    assert sums.damaged(folder, wanted=lambda name: name == "extra") == {}
    with pytest.raises(sums.DamagedError, match=r"a\.csv was changed"):
        sums.check(folder / "a.csv")


def test_a_file_behind_a_link_is_damaged_whatever_it_holds(folder: Path) -> None:
    (folder / "deep").rename(folder / "elsewhere")
    (folder / "deep").symlink_to(folder / "elsewhere")
    assert "symbolic link" in sums.damaged(folder)["deep/b.png"]


def test_a_later_file_is_added(folder: Path) -> None:
    sums.add(folder, [folder / "extra"])
    (folder / "extra").write_text("other")
    (folder / "a.csv").write_text("other")
    assert set(sums.damaged(folder)) == {"a.csv", "extra"}


def test_names_that_are_gone_have_no_sum_any_more(folder: Path) -> None:
    (folder / "deep" / "b.png").unlink()
    sums.add(folder, [folder / "extra"], gone=lambda name: name.startswith("deep/"))
    assert sums.damaged(folder) == {} and set(sums.read(folder)) == {"a.csv", "extra"}


@pytest.mark.parametrize("content", [b"no sums\n", b"\xff\xfe", b"0123 a.csv\n"])
def test_sums_that_are_none_are_named(folder: Path, content: bytes) -> None:
    (folder / sums.FILE).write_bytes(content)
    with pytest.raises(sums.DamagedError, match="is no list of SHA-256 sums"):
        sums.damaged(folder)


def test_lost_sums_are_damage(folder: Path) -> None:
    (folder / sums.FILE).write_bytes(b"")
    assert set(sums.damaged(folder, [folder / "a.csv"])) == {"a.csv"}
    (folder / sums.FILE).unlink()
    with pytest.raises(sums.DamagedError, match="SHA256SUMS is missing"):
        sums.damaged(folder)
