"""`python -m bench study`: from finished runs to counted votes."""

import json
from pathlib import Path

import pytest

from bench.core.files import write_json
from tests.bench.conftest import Run
from tests.reports.study.conftest import ballot, write_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two finished runs and one that is not."""
    root = tmp_path_factory.mktemp("runs")
    for method in ("full", "pconv", "failed"):
        write_run(root, method)
    write_json(root / "failed-quick-seed0" / "state.json", {"state": "failed", "reason": "x"})
    return root


def test_make_then_count(run: Run, finished: Path, tmp_path: Path) -> None:
    to = tmp_path / "study"
    code, out, _ = run("study", "make", "--runs", finished, "--questions", 4, "--to", to)
    assert code == 0 and out.startswith("4 questions on 2 methods: full, pconv\n")
    assert str(to / "study.html") in out and str(to / "key.json") in out
    key = to / "key.json"
    for name, method in (("a", "pconv"), ("b", "full")):
        write_json(
            tmp_path / f"{name}.json", ballot(key, dict.fromkeys(range(4), method), ord(name) - 97)
        )
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    code, out, _ = run("study", "count", "--ballots", *files, "--key", key)
    assert code == 0 and "| pconv  | 4     | 50.0" in out
    assert (to / "votes.md").read_text().strip() == out.strip()
    assert (to / "votes.csv").exists()


def test_runs_and_methods_can_be_named(run: Run, finished: Path, tmp_path: Path) -> None:
    write_run(tmp_path, "telea")
    out = [finished / "full-quick-seed0", tmp_path]
    words = ["study", "make", "--runs", *out, "--methods", "telea, full", "--seed", 4]
    assert run(*words, "--to", tmp_path / "s")[0] == 0
    key = json.loads((tmp_path / "s" / "key.json").read_text())
    assert list(key["runs"]) == ["telea", "full"] and key["seed"] == 4


def test_mistakes_end_with_code_2_and_one_line(run: Run, finished: Path, tmp_path: Path) -> None:
    key, bad = tmp_path / "key.json", tmp_path / "bad.json"
    assert run("study", "make", "--runs", finished, "--to", tmp_path)[0] == 0
    bad.write_text("{")
    for words, told in {
        ("make", "--runs", tmp_path / "none"): "no finished run in",
        ("make", "--runs", finished, "--methods", "full,pcon"): "did you mean pconv",
        ("make", "--runs", finished / "failed-quick-seed0"): "no finished run in",
        ("make", "--qestions", 3): "did you mean --questions",
        ("count", "--ballots", bad, "--key", key): "no ballot can be counted: bad.json: not read",
        ("count", "--ballots", bad, "--key", tmp_path / "no.json"): "no file",
        ("count", "--ballots", tmp_path / "absent.json", "--key", key): "no ballot or folder",
        ("count",): "--ballots",
        ("mak",): "invalid choice: 'mak'",
        (): "ACTION",
    }.items():
        code, _, err = run("study", *words)
        assert code == 2 and told in err and err.count("\n") == 1, words


def test_help_of_the_study_and_its_actions(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in {
        ("study", "--help"): "Count the voters' files",
        ("study", "make", "--help"): "--questions",
        ("study", "count", "--help"): "--ballots",
    }.items():
        with pytest.raises(SystemExit):
            run(*words)
        assert told in " ".join(capsys.readouterr().out.split())
