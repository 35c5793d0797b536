"""Packs hold finished runs and nothing else, and nothing else is unpacked."""

import shutil
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from bench.core import sums
from bench.core.errors import UserError
from bench.core.files import read_json, write_json
from bench.runs.pack import pack, packable, unpack
from bench.runs.run import Run, find
from tests.reports.study.conftest import write_run

RECORDS = "full-quick-seed0/records.csv"


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """Two finished runs, and files that no report needs, such as inputs of an undrawn pair."""
    found = [write_run(tmp_path / "runs", name, pairs=[0]) for name in ("full", "pconv")]
    shared = write_run(tmp_path / "other", "full", pairs=[0, 6])
    shutil.copytree(shared.pictures.shared, found[0].pictures.shared, dirs_exist_ok=True)
    for run in found:
        run.weights.write_bytes(b"weights" * 99)
        (run.checkpoints / "1").mkdir(parents=True)
        (run.checkpoints / "1" / "state").write_text("x")
        (run.path / "table.md").write_text("x")
        run.seal()
    return found


@pytest.fixture
def packed(runs: list[Run], tmp_path: Path) -> Path:
    pack(runs, tmp_path / "sweep.zip")
    return tmp_path / "sweep.zip"


def names(file: Path) -> list[str]:
    with ZipFile(file) as archive:
        return archive.namelist()


def test_a_pack_holds_what_a_report_needs(packed: Path) -> None:
    own = ["SHA256SUMS", "identity.json", "pictures/00000_output.webp", "records.csv", "state.json"]
    shared = ["00000_input.webp", "00000_truth.webp", "SHA256SUMS"]
    assert names(packed) == [
        *(f"full-quick-seed0/{name}" for name in own),
        *(f"pairs/m1/{name}" for name in shared),
        *(f"pconv-quick-seed0/{name}" for name in own),
    ]


def test_what_is_unpacked_is_what_was_packed_and_its_sums_hold(
    runs: list[Run], packed: Path, tmp_path: Path
) -> None:
    found = unpack(packed, tmp_path / "there")
    assert [run.name for run in found] == [run.name for run in runs] and found != runs
    for name in names(packed):
        if not name.endswith(sums.FILE):
            assert (tmp_path / "there" / name).read_bytes() == (
                tmp_path / "runs" / name
            ).read_bytes()
    for file in (tmp_path / "there").rglob(sums.FILE):
        beside = {f.relative_to(file.parent).as_posix() for f in file.parent.rglob("*.*")}
        assert sums.damaged(file.parent) == {}
        assert sums.read(file.parent).keys() == beside - {"state.json"}
    pack(found, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_weights_are_packed_if_asked_for(runs: list[Run], tmp_path: Path) -> None:
    pack(runs, tmp_path / "sweep.zip", weights=True)
    for run, first in zip(unpack(tmp_path / "sweep.zip", tmp_path / "there"), runs, strict=True):
        assert run.weights.read_bytes() == first.weights.read_bytes()
        assert sums.read(run.path) == sums.read(first.path)


def test_the_same_runs_give_the_same_bytes(runs: list[Run], packed: Path, tmp_path: Path) -> None:
    for file in (tmp_path / "runs").rglob("*"):
        file.touch()
        file.chmod(0o700)
    pack(runs[::-1], tmp_path / "other.zip")
    assert (tmp_path / "other.zip").read_bytes() == packed.read_bytes()
    with ZipFile(packed) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}


def test_only_finished_and_undamaged_runs_can_be_packed(tmp_path: Path) -> None:
    made = {
        name: write_run(tmp_path, "full", pairs=[0], folder=name)
        for name in ("good", "running", "records", "picture", "identity", "weights", "a b", "pairs")
    }
    write_json(made["running"].state, {"state": "running", "reason": ""})
    made["records"].records.write_text("x")
    made["picture"].pictures.file(0, "output").write_bytes(b"x")
    made["identity"].identity.unlink()
    made["weights"].weights.write_bytes(b"x")
    made["weights"].seal()
    made["weights"].weights.unlink()
    good, problems = packable([*made.values(), Run(tmp_path / "nowhere")])
    assert [run.name for run in good] == ["good", "weights"]
    told = [("running", "its state is 'running'"), ("records/records.csv", "was changed"),
            ("picture", "missing or damaged"), ("identity/identity.json", "is missing"),
            ("a b", "under its name"), ("pairs", "under its name"),
            ("nowhere", "absent")]  # fmt: skip
    for (name, words), problem in zip(told, problems, strict=True):
        assert str(tmp_path / name) in problem and words in problem
    assert [run.name for run in packable(made.values(), weights=True)[0]] == ["good"]


def test_damaged_shared_pictures_keep_a_run_out(runs: list[Run]) -> None:
    runs[0].pictures.file(0, "truth").write_bytes(b"x")
    assert packable(runs)[0] == []


def test_runs_of_two_folders_are_refused(runs: list[Run], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="report the packs together"):
        pack([*runs, write_run(tmp_path / "b", "full")], tmp_path / "sweep.zip")
    assert not (tmp_path / "sweep.zip").exists()


def test_only_a_pack_is_replaced(runs: list[Run], packed: Path) -> None:
    pack(runs[:1], packed)
    assert not any(name.startswith("pconv") for name in names(packed))
    with pytest.raises(UserError, match="exists and is no pack"):
        pack(runs, runs[0].records)
    assert runs[0].damaged() == {}


def test_a_pack_is_written_whole_or_not_at_all(
    runs: list[Run], packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = packed.read_bytes()
    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(UserError, match=r"cannot write .*sweep\.zip: No space left"):
        pack(runs[:1], packed)
    assert packed.read_bytes() == before
    assert {path.name for path in packed.parent.iterdir()} == {"runs", "other", "sweep.zip"}


def refused(file: Path, words: str) -> None:
    """Assert that a file is refused in one line that names it, and not a byte of it is written."""
    folder = file.parent / "there"
    with pytest.raises(UserError, match=words) as caught:
        unpack(file, folder)
    assert str(caught.value).startswith(
        f"{file} is damaged, or no file of `python -m bench pack`: "
    )
    assert not folder.exists()


@pytest.mark.parametrize(
    "name",
    [
        "/full-quick-seed0/records.csv", "../records.csv", "full-quick-seed0/../../records.csv",
        "full-quick-seed0/pictures/../../../x.webp", "..\\x", "C:/x/records.csv", "records.csv",
        "full-quick-seed0\\records.csv", "full-quick-seed0/", "full-quick-seed0/x.py",
        "full-quick-seed0/conftest.py", "full-quick-seed0/table.md", ".hidden/records.csv",
        "full-quick-seed0/checkpoints/1/state", "full-quick-seed0/samples/x.py",
        "full-quick-seed0/samples/a/b.png", "full-quick-seed0/pictures/x.webp",
        "full-quick-seed0/pictures/00001_a/b.webp", "pairs/m1/00001_output.webp", "pairs/m1/x",
        "pairs/records.csv", "pairs/m1/m2/00001_truth.webp", "full-quick-seed0//records.csv",
        "\x1b", "full-quick-seed0/records.csv\n", "", ".", "~/records.csv",
    ],
)  # fmt: skip
def test_names_that_no_run_has_are_refused(packed: Path, name: str) -> None:
    with ZipFile(packed, "a") as archive:
        archive.writestr(ZipInfo(name), "x")
    refused(packed, "in it is no file of a run")


def test_names_are_quoted(packed: Path) -> None:
    with ZipFile(packed, "a") as archive:
        archive.writestr(ZipInfo("\x1b[2J\n"), "x")
    refused(packed, r"'\\x1b\[2J\\n'")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(packed: Path) -> None:
    with ZipFile(packed, "a") as archive:
        archive.writestr(RECORDS, "x")
    refused(packed, f"'{RECORDS}' is in it 2 times")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(packed: Path, kind: int) -> None:
    entry = ZipInfo("full-quick-seed0/log.csv")
    entry.external_attr = (kind | 0o777) << 16
    with ZipFile(packed, "a") as archive:
        archive.writestr(entry, "/etc/passwd")
    refused(packed, "'full-quick-seed0/log.csv' in it is a link")


def test_other_compression_is_refused(packed: Path) -> None:
    with ZipFile(packed, "a", ZIP_BZIP2) as archive:
        archive.writestr("full-quick-seed0/log.csv", "x")
    refused(packed, "compressed in another way")


def test_encrypted_files_are_refused(packed: Path) -> None:
    change_header(packed, RECORDS, 6, 8, struct.pack("<H", 1))
    refused(packed, "is encrypted")


def test_a_bomb_is_refused_before_it_is_unpacked(packed: Path, tmp_path: Path) -> None:
    with ZipFile(packed, "a", ZIP_DEFLATED) as archive:
        for name in "abcd":
            archive.writestr(f"{name}/log.csv", bytes(20 * 2**20))
    refused(packed, "state that they become 838")


def change_header(file: Path, name: str, local: int, central: int, value: bytes) -> None:
    """Overwrite a field, at these offsets, in both headers of an entry."""
    content = bytearray(file.read_bytes())
    with ZipFile(file) as archive:
        first, start = archive.getinfo(name).header_offset, archive.start_dir
    second = content.index(name.encode(), start) - 46
    for place in (first + local, second + central):
        content[place : place + len(value)] = value
    file.write_bytes(content)


@pytest.mark.parametrize("factor", [0, 0.5, 2])
def test_a_size_that_is_not_the_stated_one_is_refused(packed: Path, factor: float) -> None:
    with ZipFile(packed) as archive:
        size = int(archive.getinfo(RECORDS).file_size * factor)
    change_header(packed, RECORDS, 22, 24, struct.pack("<I", size))
    folder = packed.parent / "there"
    with pytest.raises(UserError, match=f"{RECORDS}' in it is shorter|Bad CRC-32"):
        unpack(packed, folder)
    assert (folder / RECORDS).stat().st_size <= max(size, 1) or factor == 2


def rewrite(file: Path, change: Callable[[Path], None]) -> None:
    """Change unpacked files, and zip them as they are."""
    folder = file.parent / "changed"
    unpack(file, folder)
    change(folder)
    with ZipFile(file, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(folder).as_posix())


def unfinish(folder: Path) -> None:
    write_json(folder / "full-quick-seed0" / "state.json", {"state": "running", "reason": ""})


def lead_out(folder: Path) -> None:
    """Name the test pairs by a path that leads out, with sums that hold."""
    run = Run(folder / "full-quick-seed0")
    write_json(run.identity, read_json(run.identity) | {"test pairs": "../.."})
    run.seal()


def sum_what_lies_outside(folder: Path) -> None:
    with (folder / "full-quick-seed0" / sums.FILE).open("a") as file:
        file.write(f"{'0' * 64}  ../../outside\n")


def drop(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / RECORDS).write_text("x"), f"{RECORDS} in it was changed after"),
        (drop(RECORDS), f"{RECORDS} in it is missing"),
        (drop("full-quick-seed0/SHA256SUMS"), "full-quick-seed0/SHA256SUMS is missing"),
        (drop("full-quick-seed0/state.json"), "full-quick-seed0 in it has no state"),
        (drop("full-quick-seed0/identity.json"), "full-quick-seed0/identity.json in it is missing"),
        (drop("full-quick-seed0/pictures/00000_output.webp"), "output.webp in it is missing"),
        (drop("pairs/m1/00000_truth.webp"), "pictures of full-quick-seed0 in it are missing"),
        (drop("pairs/m1/SHA256SUMS"), "pictures of full-quick-seed0 in it are missing"),
        (lambda folder: shutil.rmtree(folder / "pairs"), "pictures of full-quick-seed0 in it"),
        (lambda folder: (folder / "pconv-quick-seed0" / "log.csv").touch(), "has no sum"),
        (unfinish, "full-quick-seed0 in it is not finished"),
        (lead_out, "names no test pairs; take an unchanged copy, or give the command"),
        (sum_what_lies_outside, "sums of full-quick-seed0 in it name '../../outside'"),
    ],
)
def test_a_changed_pack_is_refused(
    packed: Path, change: Callable[[Path], None], words: str
) -> None:
    rewrite(packed, change)
    with pytest.raises(UserError, match=words) as caught:
        unpack(packed, packed.parent / "there")
    assert "there" not in str(caught.value)


def test_an_empty_pack_is_refused(tmp_path: Path) -> None:
    ZipFile(tmp_path / "empty.zip", "w").close()
    refused(tmp_path / "empty.zip", "it is empty")


def test_a_damaged_pack_is_refused_or_gives_the_same_runs(packed: Path, tmp_path: Path) -> None:
    """Fields of a zip file that say nothing of its content may change unseen."""
    whole = packed.read_bytes()
    wanted = {run.name: sums.read(run.path) for run in find(tmp_path / "runs")}
    for run in wanted.values():
        del run["weights.safetensors"]
    for place in range(0, len(whole), 61):
        cut = whole[:place]
        flipped = whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]
        for content in (cut, flipped):
            packed.write_bytes(content)
            try:
                found = unpack(packed, tmp_path / "there")
            except UserError as error:
                assert str(packed) in str(error) and content != whole
            else:
                assert {run.name: sums.read(run.path) for run in found} == wanted
            shutil.rmtree(tmp_path / "there", ignore_errors=True)


def test_what_is_no_zip_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("x")
    refused(tmp_path / "x.zip", "not a zip file")
