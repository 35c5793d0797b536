"""Cleaning takes nothing of a run in work, and nothing that others use."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.core.errors import UserError
from bench.runs.clean import free, kinds, leftovers
from bench.runs.program_folder import PROGRAMS, ProgramFolder
from bench.runs.run import Run


@pytest.fixture
def add(tmp_path: Path) -> Callable[..., Run]:
    """Write a run in some state, measured on some pairs."""

    def write(name: str, state: str = "finished", pairs: str = "aa") -> Run:
        run = Run(tmp_path / name)
        run.begin({"method": "full", "test pairs": pairs}, {}, {})
        (run.checkpoints / "1").mkdir(parents=True)
        (run.checkpoints / "1" / "state").write_bytes(bytes(1000))
        if state != "running":
            run._set_state(state, "why" if state == "failed" else "")  # type: ignore[arg-type]
        (tmp_path / "pairs" / pairs).mkdir(parents=True, exist_ok=True)
        return run

    return write


def listed(root: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in leftovers(root):
        found.setdefault(item.kind, []).append(item.path.relative_to(root).as_posix())
    return found


def test_what_can_go_is_told_and_removed(tmp_path: Path, add: Callable[..., Run]) -> None:
    done, failed, begun = add("done"), add("failed", "failed"), add("begun", "running", "bb")
    add(".done.redo", "running")
    (tmp_path / "pairs" / "old").mkdir()
    (tmp_path / ".cache").mkdir()
    assert listed(tmp_path) == {
        "checkpoints": ["done/checkpoints"], "failed": ["failed"], "redo": [".done.redo"],
        "pairs": ["pairs/old"], "cache": [".cache"],
    }  # fmt: skip
    checkpoints = next(item for item in leftovers(tmp_path) if item.kind == "checkpoints")
    assert checkpoints.size == 1000
    for item in leftovers(tmp_path):
        free(item)
    assert listed(tmp_path) == {}
    assert done.progress == "finished" and not failed.path.exists()
    assert begun.checkpoints.exists() and (tmp_path / "pairs" / "bb").exists()


def test_nothing_goes_of_a_run_in_work(tmp_path: Path, add: Callable[..., Run]) -> None:
    done, failed = add("done"), add("failed", "failed")
    add(".done.redo", "running")
    (tmp_path / ".cache").mkdir()
    before = leftovers(tmp_path)
    with done.locked():
        assert listed(tmp_path) == {"failed": ["failed"]}
        with pytest.raises(UserError, match="being worked on"):
            free(next(item for item in before if item.kind == "checkpoints"))
    with failed.locked():
        assert "failed" not in listed(tmp_path)
    assert done.checkpoints.exists() and failed.path.exists()


def test_what_programs_were_given_goes_and_what_they_made_stays(tmp_path: Path) -> None:
    folder = ProgramFolder(tmp_path / PROGRAMS / "mine-aa-bb")
    for path in (*folder.given, folder.out):
        path.mkdir(parents=True)
    with folder.locked():
        assert listed(tmp_path) == {}
    before = leftovers(tmp_path)
    assert [(item.kind, item.path) for item in before] == [
        ("programs", path) for path in folder.given
    ]
    with folder.locked(), pytest.raises(UserError, match="a program works in"):
        free(before[0])
    for item in before:
        free(item)
    assert listed(tmp_path) == {} and folder.out.exists()


def test_where_a_run_is_damaged_no_pictures_go(tmp_path: Path, add: Callable[..., Run]) -> None:
    run = add("done")
    (tmp_path / "pairs" / "old").mkdir()
    run.identity.write_text("[]")
    assert "pairs" not in listed(tmp_path)
    run.state.write_text("[]")
    assert listed(tmp_path) == {}


def test_a_link_goes_and_not_what_it_points_to(tmp_path: Path, add: Callable[..., Run]) -> None:
    run, elsewhere = add("done"), tmp_path / "elsewhere"
    shutil.move(run.checkpoints, elsewhere)
    run.checkpoints.symlink_to(elsewhere)
    (item,) = (item for item in leftovers(tmp_path) if item.kind == "checkpoints")
    free(item)
    assert not run.checkpoints.exists() and (elsewhere / "1" / "state").exists()


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown kind of leftovers 'cash'; did you mean cache"):
        kinds(["cash"])
    with pytest.raises(UserError, match="no folder"):
        leftovers(tmp_path / "none")
