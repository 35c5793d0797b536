"""A sweep describes its runs in a file, and others read them there."""

import json
from pathlib import Path

import pytest

from bench.config import override
from bench.core.errors import UserError
from bench.presets import preset
from bench.registry import find
from bench.runs.case import Case
from bench.sweeps.status import survey
from bench.sweeps.sweep import DESCRIPTION, Sweep, described, entries, is_sweep, report_of, run_of


def sweep(root: Path) -> Sweep:
    config = preset("quick")
    cases = (
        Case(find("forward"), override(config, {"seed": 2}), root, "photos"),
        Case(find("telea"), config, root),
    )
    return Sweep(root / "comparison", cases, "comparison")


def test_a_description_tells_runs_commands_jobs_and_the_kind_of_report(tmp_path: Path) -> None:
    made = sweep(tmp_path)
    made.describe(jobs=["12", "13"])
    assert is_sweep(made.folder) and described(tmp_path) == [made.folder]
    assert report_of(made.folder) == "comparison"
    first, second = entries(made.folder)
    assert (first.run, first.method, first.tag, first.job) == (
        "forward-quick-photos-seed2", "forward", "photos", "12"
    )  # fmt: skip
    assert first.words == made.words(made.cases[0]) and first.words[-1] == "--cost"
    assert (second.run, second.tag, second.job) == ("telea-quick", "", "13")
    assert run_of(made.folder, second).path == tmp_path / "telea-quick"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"report": "ablation"}', '{"report": "ablation", "runs": [1]}',
     '{"report": [], "runs": []}', '{"report": "study", "runs": []}'],
)  # fmt: skip
def test_a_damaged_description_is_named(tmp_path: Path, text: str) -> None:
    made = sweep(tmp_path)
    made.describe()
    (made.folder / DESCRIPTION).write_text(text)
    for read in (entries, report_of):
        with pytest.raises(UserError, match=DESCRIPTION):
            read(made.folder)


@pytest.mark.parametrize("name", ["../elsewhere", ".hidden", "a/b", ""])
def test_an_entry_names_no_folder_elsewhere(tmp_path: Path, name: str) -> None:
    made = sweep(tmp_path)
    made.describe()
    file = made.folder / DESCRIPTION
    found = json.loads(file.read_text())
    found["runs"][0]["run"] = name
    file.write_text(json.dumps(found))
    with pytest.raises(UserError, match="damaged"):
        entries(made.folder)


@pytest.mark.parametrize(
    ("here", "name"), [("", "comparison"), ("comparison", "."), ("comparison/x", "..")]
)
def test_a_sweep_may_be_named_by_dots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, name: str
) -> None:
    made = sweep(tmp_path)
    made.describe()
    (tmp_path / here).mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / here)
    first, _ = entries(Path(name))
    assert run_of(Path(name), first).path.absolute() == made.cases[0].run.path
    assert {status.run for status in survey(Path(name))} == {case.run.name for case in made.cases}
