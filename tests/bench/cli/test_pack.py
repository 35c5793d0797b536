"""`python -m bench pack`, and reports of packs: results travel between machines."""

import shutil
import tempfile
from pathlib import Path

import pytest

from bench.cli.parser import main
from bench.evaluation import records
from bench.runs.run import Run as Finished
from tests.bench.cli.test_cli import hole, picture
from tests.bench.cli.test_damage import flip, one_line
from tests.bench.conftest import Run
from tests.conftest import TINY

SMALL = [*TINY, "--pairs", "1", "--lpips", "off"]
ALGORITHM = ["--pairs", "1", "--size", "64", "--resize", "88", "--lpips", "off"]
TRAINED = "no-gan-quick-seed0"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a trained run and of an algorithm's; tests leave it as it is."""
    out = tmp_path_factory.mktemp("sweep") / "runs"
    assert main(["run", "--variant", "no-gan", *SMALL, "--out", str(out)]) == 0
    assert main(["run", "--baseline", "telea", *ALGORITHM, "--out", str(out)]) == 0
    return out


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, which is empty before and after each test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_the_report_of_a_pack_is_that_of_the_folder(
    run: Run, sweep: Path, tmp_path: Path, nothing_is_left: Path
) -> None:
    code, out, err = run("pack", sweep, "--out", tmp_path / "sweep.zip")
    assert code == 0 and err == ""
    assert out.startswith(f"runs packed: 2, in {tmp_path / 'sweep.zip'} (")
    assert run("report", tmp_path / "sweep.zip", "--out", tmp_path / "laptop")[0] == 0
    assert run("report", "--out", sweep)[0] == 0
    made = files(tmp_path / "laptop" / "report")
    assert made == files(sweep / "report")
    assert {Path(name).name for name in made} >= {"tables.md", "metrics.csv", "report.html"}
    assert not (sweep / "report").samefile(tmp_path / "laptop" / "report")
    assert [path.name for path in (tmp_path / "laptop").iterdir()] == ["report"]
    assert not any(nothing_is_left.iterdir())


def test_two_machines_stand_in_one_report(run: Run, sweep: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert run("run", "--variant", "no-gan", *SMALL, "--seed", 1, "--out", other)[0] == 0
    packs = [tmp_path / "sweep.zip", tmp_path / "other.zip"]
    for folder, file in zip((sweep, other), packs, strict=True):
        assert run("pack", folder, "--out", file)[0] == 0
    assert run("report", *packs, "--out", tmp_path / "packs")[0] == 0
    together = tmp_path / "together"
    shutil.copytree(sweep, together)
    shutil.copytree(other, together, dirs_exist_ok=True)
    shutil.rmtree(together / "report", ignore_errors=True)
    assert run("report", "--out", together)[0] == 0
    assert files(tmp_path / "packs" / "report") == files(together / "report")


def test_a_pack_without_weights_fills_no_picture(run: Run, sweep: Path, tmp_path: Path) -> None:
    picture(tmp_path / "i.png", 64, 64)
    hole(tmp_path / "m.png", 64, 64)
    words = ["report", tmp_path / "s.zip", "--image", tmp_path / "i.png"]
    words += ["--mask", tmp_path / "m.png", "--out", tmp_path / "out"]
    assert run("pack", sweep, "--out", tmp_path / "s.zip")[0] == 0
    code, _, err = run(*words)
    assert code == 2 and not (tmp_path / "out").exists()
    assert one_line(err) == (
        f"error: {TRAINED} has no weights to fill --image; use `pack --weights`"
    )
    assert run("pack", sweep, "--weights", "--out", tmp_path / "s.zip")[0] == 0
    assert run(*words)[0] == 0
    assert (tmp_path / "out" / "report" / "removal" / "no-gan.png").exists()


def test_what_cannot_be_packed_is_left_out_and_named(run: Run, sweep: Path, tmp_path: Path) -> None:
    shutil.copytree(sweep, tmp_path / "runs")
    flip(damaged := tmp_path / "runs" / TRAINED / "log.csv")
    words = ["pack", tmp_path / "runs", "--out", tmp_path / "s.zip"]
    code, out, err = run(*words)
    assert code == 2 and out.startswith("runs packed: 1, ")
    assert err.startswith(f"left out: {damaged} was changed") and len(err.splitlines()) == 1
    (tmp_path / "s.zip").unlink()
    code, out, err = run(*words[:1], tmp_path / "runs" / TRAINED, *words[2:])
    assert code == 2 and not out and str(damaged) in one_line(err)
    assert not (tmp_path / "s.zip").exists()


def test_a_run_named_twice_is_packed_once(run: Run, sweep: Path, tmp_path: Path) -> None:
    code, out, _ = run("pack", sweep, sweep / TRAINED, "--out", tmp_path / "s.zip")
    assert code == 0 and out.startswith("runs packed: 2, ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pack", "/no/such"], "no finished run in /no/such"),
        (["pack", "SWEEP", "--out", "/dev/null/s.zip"], "cannot write /dev/null/s.zip"),
        (["pack", "SWEEP", "--out", "SWEEP"], "exists and is no pack"),
        (["pack", "SWEEP", "OTHER"], "do not fit into one pack"),
        (["report", "/no/such", "SWEEP"], "no finished run in /no/such"),
        (["report", "TEXT"], "is damaged, or no file of `python -m bench pack`"),
        (["report", "SWEEP", "OTHER"], "are two different runs of telea"),
    ],
)
def test_mistakes_end_with_code_2_and_one_line(
    run: Run, sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    words: list[str], told: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other"
    if "OTHER" in words:
        shutil.copytree(sweep, other)
        copy = Finished(other / "telea-quick")
        measured = records.read([copy.records])
        records.write(copy.records, measured.assign(value=measured["value"] + 1))
        copy.seal()
    (tmp_path / "text").write_text("no zip")
    places = {"SWEEP": sweep, "OTHER": other, "TEXT": tmp_path / "text"}
    code, out, err = run(*(places.get(word, word) for word in words))
    assert code == 2 and not out and told in one_line(err)
    assert not (tmp_path / "sweep.zip").exists() and not (tmp_path / "runs").exists()
