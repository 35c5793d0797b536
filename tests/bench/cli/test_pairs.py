"""`python -m bench pairs`: export and contact sheet."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.cli.parser import build_parser
from bench.data.pairs import Manifest
from reports import figures
from tests.bench.conftest import Run

DATA = ("--size", 64, "--resize", 88, "--pairs", 2)


def test_exported_pairs_are_those_of_a_run_with_the_same_options(run: Run, tmp_path: Path) -> None:
    to = tmp_path / "pairs"
    code, out, err = run("pairs", "export", "--to", to, *DATA, "--out", tmp_path)
    assert code == 0 and "8 test pairs" in out and str(to / "README.md") in out
    assert "export pairs" in err
    assert run("run", "--baseline", "mean-colour", *DATA, "--out", tmp_path)[0] == 0
    of_run = tmp_path / "mean-colour-quick" / "manifest.json"
    assert (to / "pairs.json").read_bytes() == of_run.read_bytes()
    # The export's manifest is one, whatever --pairs would draw.
    words = ["--size", 64, "--resize", 88, "--manifest", to / "pairs.json", "--out", tmp_path]
    again = tmp_path / "again"
    assert run("pairs", "export", "--to", again, *words)[0] == 0
    assert Manifest.read(again / "pairs.json") == Manifest.read(of_run)
    assert "(replaced)" in run("pairs", "export", "--to", again, *words, "--truth")[1]


def test_the_readme_has_the_command_with_the_same_data(run: Run, tmp_path: Path) -> None:
    to = tmp_path / "my pairs"
    words = [*DATA, "--ratio", 0.1, 0.3, "--test-masks", "boxes", "--out", tmp_path]
    assert run("pairs", "export", "--to", to, *words)[0] == 0
    command = next(
        line
        for line in (to / "README.md").read_text().splitlines()
        if line.startswith("python -m bench evaluate")
    )
    args = build_parser()[0].parse_args(shlex.split(command)[3:])
    assert (args.set_size, args.set_resize, args.set_test_masks) == (64, 88, "boxes")
    assert args.set_manifest == str(to / "pairs.json")
    assert not hasattr(args, "set_ratio")  # it is without effect on outputs, and refused there


def test_show_draws_a_bounded_number_of_each_bucket(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheets: list[dict[str, list[tuple[np.ndarray, str]]]] = []
    monkeypatch.setattr(figures, "sheet", lambda rows, path: sheets.append(rows))
    to = tmp_path / "sheet.png"
    data = ("--size", 64, "--resize", 88, "--pairs", 5, "--out", tmp_path)
    code, out, _ = run("pairs", "show", "--to", to, *data, "--per-bucket", 3)
    assert code == 0 and f"12 of 20 test pairs -> {to}" in out
    assert run("pairs", "export", "--to", tmp_path / "e", *data)[0] == 0
    drawn = Manifest.read(tmp_path / "e" / "pairs.json").pairs
    (rows,) = sheets
    assert list(rows) == list(dict.fromkeys(pair.bucket for pair in drawn))
    for bucket, shown in rows.items():
        assert len(shown) == 3
        for holed, caption in shown:
            number = int(caption.partition(":")[0])
            assert caption == f"{number}: {drawn[number].ratio:.1%}\n{bucket}"
            image = np.asarray(Image.open(tmp_path / "e" / "images" / f"{number:05d}.png"))
            hole = np.asarray(Image.open(tmp_path / "e" / "masks" / f"{number:05d}.png")) > 0
            assert (holed[hole] == (255, 0, 255)).all()
            np.testing.assert_array_equal(holed[~hole], image[~hole])


def test_mistakes_end_with_code_2_and_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    out = ("--out", tmp_path / "runs")
    for words, told in {
        ("export",): "--to",
        ("export", "--to", tmp_path / "full", *out): "no export of pairs; choose a new",
        ("export", "--to", tmp_path / "a", "--layout", "lama", "--hole", "black", *out): "--hole",
        ("export", "--to", tmp_path / "a", "--manifest", tmp_path / "no", *out): "no file",
        ("export", "--to", tmp_path / "a", "--images", "folder:/no", *out): "no folder /no",
        ("show", "--to", tmp_path / "a.jpg", *out): "use .png",
        ("show", "--to", tmp_path / "a.png", "--per-bucket", 0, *out): "--per-bucket",
        (): "ACTION",
    }.items():
        code, _, err = run("pairs", *words)
        assert code == 2 and told in err and err.count("\n") == 1, words
    assert not (tmp_path / "a").exists()
