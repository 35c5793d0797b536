"""Damage in a run's folder is seen by every command that reads it, and nothing else is lost."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench.cli.parser import main
from bench.core import sums
from tests.bench.cli.test_cli import hole, picture
from tests.bench.conftest import Run
from tests.conftest import TINY

NAME = "no-gan-quick-seed0"
WORDS = [
    "run",
    "--keep-checkpoints",
    "--variant",
    "no-gan",
    *TINY,
    "--pairs",
    "1",
    "--lpips",
    "off",
]
DESCRIPTION = ["identity.json", "config.json", "environment.json"]
REPAIRED = [
    "weights.safetensors", "log.csv", "validation.csv", "splits.json", "records.csv",
    "manifest.json", "pictures/00002_output.webp",
]  # fmt: skip
"""Files that `run` makes again, to the same content."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("original")
    assert main([*WORDS, "--out", str(out)]) == 0
    return out


@pytest.fixture
def out(original: Path, tmp_path: Path) -> Path:
    """A folder with a copy of a finished run, which a test may damage."""
    shutil.copytree(original, tmp_path / "runs")
    return tmp_path / "runs"


def flip(file: Path) -> None:
    """Flip one bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    """Remove the last tenth of a file."""
    file.write_bytes(file.read_bytes()[: -1 - file.stat().st_size // 10])


def reshape(file: Path) -> None:
    """Replace a file by valid JSON of another shape."""
    file.write_text('[{"state": 3}]')


def same(name: str, folder: Path, original: Path) -> bool:
    """Whether a file holds what the original run has, but for the time that filling took."""
    if name != "records.csv":
        return (folder / name).read_bytes() == (original / NAME / name).read_bytes()
    first, second = (pd.read_csv(path / name) for path in (folder, original / NAME))
    return first.drop(columns="seconds").equals(second.drop(columns="seconds"))


def one_line(err: str) -> str:
    """The last line of standard error, which must be an error."""
    line = err.splitlines()[-1]
    assert line.startswith("error: ") and "Traceback" not in err
    return line


@pytest.mark.parametrize("name", REPAIRED)
def test_what_can_be_made_again_is_and_the_rest_stays(
    run: Run, out: Path, original: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    flip(out / NAME / name)
    assert run(*WORDS, "--out", out)[0] == 0
    assert f"{out / NAME / name} was changed after it was written; it is made again" in caplog.text
    assert all(same(repaired, out / NAME, original) for repaired in REPAIRED)
    assert sums.damaged(out / NAME) == {}


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *((name, damage) for name in DESCRIPTION for damage in (flip, Path.unlink)),
        *(
            (name, damage)
            for name in ("state.json", sums.FILE)
            for damage in (reshape, Path.unlink)
        ),
    ],
)
def test_a_run_that_nothing_describes_is_refused_and_stays(
    run: Run, out: Path, original: Path, name: str, damage: Callable[[Path], None]
) -> None:
    damage(out / NAME / name)
    for words in (WORDS, ["report"]):
        code, _, err = run(*words, "--out", out)
        # A hidden state is no finished run to `report`, which then has none.
        assert code == 2 and (name in one_line(err) or "no finished run" in one_line(err))
    assert all(same(kept, out / NAME, original) for kept in REPAIRED)


def test_a_run_beyond_repair_is_replaced(run: Run, out: Path, original: Path) -> None:
    for name in ("identity.json", "state.json", sums.FILE):
        cut(out / NAME / name)
    assert run(*WORDS, "--redo", "--out", out)[0] == 0
    # The log also has the rate, which is a matter of time.
    assert all(same(made, out / NAME, original) for made in REPAIRED if made != "log.csv")


@pytest.mark.parametrize(
    ("name", "damage"),
    [("records.csv", flip), ("records.csv", cut), ("log.csv", cut), ("validation.csv", Path.unlink),
     ("manifest.json", reshape), ("scalars.csv", flip)],
)  # fmt: skip
def test_a_report_leaves_out_a_run_with_damaged_numbers(
    run: Run, out: Path, name: str, damage: Callable[[Path], None]
) -> None:
    damage(out / NAME / name)
    code, printed, err = run("report", "--out", out)
    assert code == 2 and "| no-gan" not in printed
    assert f"{NAME}/{name}" in one_line(err)


def test_a_report_shows_the_other_runs(run: Run, out: Path) -> None:
    other = ["run", "--baseline", "mean-colour", "--pairs", "1", "--size", "64", "--resize", "88"]
    assert run(*other, "--lpips", "off", "--out", out)[0] == 0
    flip(out / NAME / "records.csv")
    code, printed, err = run("report", "--out", out)
    assert code == 2 and "| mean-colour" in printed and "| no-gan" not in printed
    assert err.splitlines()[-1].startswith(f"left out: {out / NAME / 'records.csv'} was changed")


def test_a_report_makes_damaged_pictures_again(run: Run, out: Path, original: Path) -> None:
    flip(out / NAME / "pictures" / "00002_output.webp")
    truth, unharmed = out.rglob("00001_truth.webp"), original.rglob("00001_truth.webp")
    flip(changed := next(truth))
    assert run("report", "--out", out)[0] == 0
    assert same("pictures/00002_output.webp", out / NAME, original)
    assert changed.read_bytes() == next(unharmed).read_bytes()
    assert sums.damaged(out / NAME) == sums.damaged(changed.parent) == {}


def test_no_pictures_are_made_from_damaged_weights(run: Run, out: Path) -> None:
    flip(out / NAME / "weights.safetensors")
    shutil.rmtree(out / NAME / "pictures")
    code, printed, err = run("report", "--out", out)
    assert code == 0 and "| no-gan" in printed
    assert "no pictures of" in err and "weights.safetensors was changed" in err


def test_damaged_pictures_are_not_shown(run: Run, out: Path) -> None:
    flip(out / NAME / "pictures" / "00002_output.webp")
    flip(out / NAME / "weights.safetensors")
    code, printed, err = run("report", "--out", out)
    assert code == 2 and "| no-gan" not in printed
    assert "its pictures are incomplete or damaged" in one_line(err)


@pytest.mark.parametrize("name", ["weights.safetensors", "config.json", "identity.json"])
def test_damaged_weights_fill_nothing(run: Run, out: Path, tmp_path: Path, name: str) -> None:
    flip(out / NAME / name)
    photo, mask = picture(tmp_path / "i.png", 40, 40), hole(tmp_path / "m.png", 40, 40)
    filled = ["inpaint", "--image", photo, "--mask", mask, "--out", tmp_path / "o.png"]
    for words in (filled, ["evaluate", "--pairs", "1", "--out", out]):
        code, _, err = run(*words, "--run", out / NAME)
        assert code == 2 and f"{NAME}/{name} was changed" in one_line(err)
    assert not (tmp_path / "o.png").exists() and not list(out.glob("[!.]*-on-*"))


def test_a_damaged_weights_file_of_a_checkpoint_fills_nothing(run: Run, out: Path) -> None:
    file = out / NAME / "checkpoints" / "00000006" / "model.safetensors"
    words = ["evaluate", "--run", out / NAME, "--weights", file, "--pairs", "1", "--out", out]
    assert run(*words)[0] == 0
    flip(file)
    code, _, err = run(*words)
    assert code == 2 and "model.safetensors was changed" in one_line(err)


def test_nothing_is_written_through_a_link(run: Run, out: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (out / NAME / "pictures").rename(elsewhere)
    (out / NAME / "pictures").symlink_to(elsewhere)
    before = {file.name: file.read_bytes() for file in elsewhere.iterdir()}
    assert run("report", "--out", out)[0] == 0
    assert run(*WORDS, "--redo", "--out", out)[0] == 0
    assert {file.name: file.read_bytes() for file in elsewhere.iterdir()} == before
    assert not (out / NAME / "pictures").is_symlink()
