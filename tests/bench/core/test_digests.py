import hashlib
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from bench.core import digests
from bench.core.digests import FileDigests, read_summed, write_summed
from bench.core.errors import UserError
from bench.core.sums import DamagedError


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def change_unnoticed(path: Path, content: bytes) -> None:
    """Change a file in its place, and set its time back."""
    facts = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are hashed."""
    names: list[str] = []
    real = digests.sha256

    def counted(path: Path) -> str:
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(digests, "sha256", counted)
    return names


def test_digests_are_those_of_the_bytes_in_the_order_asked(tmp_path: Path) -> None:
    one, other = written(tmp_path / "b", b"one"), written(tmp_path / "a", b"other")
    assert FileDigests().of(one) == sha(b"one")
    expected = [sha(b"one"), sha(b"other"), sha(b"one")]
    assert FileDigests(tmp_path / "memory").of_all([one, other, one]) == expected


@pytest.mark.parametrize("remembers", [True, False])
def test_a_file_is_hashed_once(tmp_path: Path, hashed: list[str], remembers: bool) -> None:
    folder, file = tmp_path / "memory" if remembers else None, written(tmp_path / "a", b"one")
    first = FileDigests(folder)
    assert first.of(file) == first.of(file) == sha(b"one")
    assert FileDigests(folder).of(file) == sha(b"one")
    assert hashed == ["a"] * (1 if remembers else 2)


def test_a_file_that_looks_different_is_hashed_again(tmp_path: Path) -> None:
    file, folder = written(tmp_path / "a", b"one"), tmp_path / "memory"
    facts = file.stat()
    assert FileDigests(folder).of(file) == sha(b"one")
    later = (facts.st_atime_ns, facts.st_mtime_ns + 1)
    os.utime(written(file, b"two"), ns=later)  # the time alone
    assert FileDigests(folder).of(file) == sha(b"two")
    os.utime(written(file, b"three"), ns=later)  # the size alone
    assert FileDigests(folder).of(file) == sha(b"three")
    os.utime(written(tmp_path / "new", b"seven"), ns=later)  # the inode alone
    (tmp_path / "new").replace(file)
    assert FileDigests(folder).of(file) == sha(b"seven")


def test_rehash_finds_a_change_that_cannot_be_seen_and_corrects_the_memory(
    tmp_path: Path, hashed: list[str]
) -> None:
    file, folder = written(tmp_path / "a", b"one"), tmp_path / "memory"
    FileDigests(folder).of(file)
    change_unnoticed(file, b"two")
    assert FileDigests(folder).of(file) == sha(b"one")
    again = FileDigests(folder, rehash=True)
    assert again.of(file) == again.of(file) == sha(b"two")
    assert FileDigests(folder).of(file) == sha(b"two")
    assert hashed == ["a", "a"]


@pytest.mark.parametrize("damage", ["", "{}", "[1, 2]", '{"sha256": "0", "content": {}}', "flip"])
def test_a_damaged_memory_is_made_again(tmp_path: Path, hashed: list[str], damage: str) -> None:
    file, folder = written(tmp_path / "a", b"one"), tmp_path / "memory"
    FileDigests(folder).of(file)
    memory = folder / "digests.json"
    text = memory.read_text()
    memory.write_text(text.replace(sha(b"one"), sha(b"two")) if damage == "flip" else damage)
    assert FileDigests(folder).of(file) == FileDigests(folder).of(file) == sha(b"one")
    assert hashed == ["a", "a"]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    file = written(tmp_path / "a", b"one")
    assert FileDigests(file / "no folder").of(file) == sha(b"one")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*absent: No such file"):
        FileDigests(tmp_path).of(tmp_path / "absent")


def test_digests_go_to_other_processes(tmp_path: Path) -> None:
    file = written(tmp_path / "a", b"one")
    found = FileDigests(tmp_path / "memory")
    found.of(file)
    assert pickle.loads(pickle.dumps(found)).of(file) == sha(b"one")


def _hash_alone(folder: Path, file: Path) -> str:
    return FileDigests(folder).of(file)


def test_processes_lose_nothing_of_one_another(tmp_path: Path, hashed: list[str]) -> None:
    files = [written(tmp_path / f"{k}", b"%d" % k) for k in range(12)]
    folder = tmp_path / "memory"
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        list(pool.map(_hash_alone, [folder] * len(files), files))
    assert FileDigests(folder).of_all(files) == [sha(b"%d" % k) for k in range(12)]
    assert hashed == []


def test_changed_content_does_not_give_its_sum(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_summed(path, {"shapes": [[3, 4]]})
    assert read_summed(path) == {"shapes": [[3, 4]]}
    path.write_text(path.read_text().replace("3", "5"))
    with pytest.raises(DamagedError, match=r"a\.json is damaged"):
        read_summed(path)
