"""Runs of several machines come together, each once."""

import shutil
from pathlib import Path

import pytest

from bench.core.errors import UserError
from bench.core.files import read_json, write_json
from bench.evaluation import records
from bench.runs.pack import pack
from bench.runs.run import Run
from bench.runs.sources import merged, opened, runs_at
from tests.reports.study.conftest import write_run


def named(places: list[Path]) -> tuple[list[str], list[str]]:
    with opened(places) as sources:
        runs, problems = merged(sources)
        return [run.name for run in runs], problems


def packed(root: Path, *runs: Run) -> Path:
    pack(runs, root / "sweep.zip")
    return root / "sweep.zip"


def test_folders_runs_and_packs_are_merged_in_their_order(tmp_path: Path) -> None:
    first = [write_run(tmp_path / "a", name) for name in ("full", "pconv")]
    alone = write_run(tmp_path / "b", "telea")
    folder = write_run(tmp_path / "c", "full", 1, **{"training.seed": 1})
    places = [packed(tmp_path, *first), alone.path, folder.path.parent]
    assert named(places) == (
        ["full-quick-seed0", "pconv-quick-seed0", "telea-quick-seed0", "full-quick-seed1"], []
    )  # fmt: skip


def test_what_is_unpacked_is_removed(tmp_path: Path) -> None:
    file = packed(tmp_path, write_run(tmp_path / "a", "full"))
    with opened([file]) as sources:
        (run,) = sources[0].runs
        assert run.records.exists() and tmp_path not in run.path.parents
    assert not run.path.parent.exists() and not run.path.parent.parent.exists()


def test_equal_copies_are_one_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", "full")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    slower = Run(tmp_path / "b" / run.name)
    records.write(slower.records, records.read([run.records]).assign(seconds=9.0))
    slower.seal()
    places = [tmp_path / "a", packed(tmp_path, run), tmp_path / "b" / run.name, tmp_path / "a"]
    assert named(places) == ([run.name], [])


@pytest.mark.parametrize("what", ["records", "code"])
def test_two_runs_of_the_same_name_everything(tmp_path: Path, what: str) -> None:
    one, other = (write_run(tmp_path / folder, "full") for folder in "ab")
    if what == "records":
        other.records.write_text(one.records.read_text().replace("20.0", "21.0"))
    else:
        write_json(other.identity, read_json(other.identity) | {"code": "other"})
    other.seal()
    places = [packed(tmp_path, one), tmp_path / "b"]
    with pytest.raises(UserError) as caught:
        named(places)
    assert f"{tmp_path / 'sweep.zip' / one.name} and {other.path} are two" in str(caught.value)


@pytest.mark.parametrize(
    "differs",
    [
        *({"training.seed": 1}, {"training.lr": 1}, {"method": "3x3"}, {"weights": "w"}),
        {"code": "c, onnx d"},
    ],
)
def test_other_runs_of_the_same_name_are_both_kept(
    tmp_path: Path, differs: dict[str, object]
) -> None:
    one, other = (write_run(tmp_path / folder, "full") for folder in "ab")
    write_json(other.identity, read_json(other.identity) | differs)
    other.seal()
    assert named([tmp_path / "a", tmp_path / "b"]) == ([one.name, one.name], [])


def test_copies_in_one_folder_are_left_as_they_are(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_run(tmp_path, "full", folder=folder)
    assert named([tmp_path]) == (["one", "two"], [])


def test_a_source_without_runs_is_named(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "full")
    with pytest.raises(UserError, match="no finished run in /no/such"):
        named([tmp_path / "a", Path("/no/such")])


def test_damaged_runs_are_named(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "full")
    damaged = write_run(tmp_path / "b", "pconv")
    damaged.records.write_text("x")
    runs, (problem,) = named([tmp_path / "a", tmp_path / "b"])
    assert runs == ["full-quick-seed0"] and str(damaged.records) in problem


def test_a_folder_is_its_runs_or_a_run_itself(tmp_path: Path) -> None:
    run = write_run(tmp_path, "full")
    assert runs_at(tmp_path) == runs_at(run.path) == [run]
