"""`--baseline "command:..."`: a program fills all test pairs, and its pictures are measured."""

from __future__ import annotations

import logging
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from bench import registry
from bench.cli.parser import main
from bench.conformance.checks import any_side, blind_to_the_hole
from bench.conformance.subject import Subject
from bench.core.errors import UserError
from bench.core.interrupts import GO_ON_LATER
from bench.foreign.method import Program, find
from bench.runs.run import Run as RunOf
from tests.bench.conftest import Run

DATA = ("--size", 64, "--resize", 88, "--pairs", 2, "--lpips", "off")
TELEA = """
import sys
from pathlib import Path
import cv2

images, masks, out = map(Path, sys.argv[1:4])
given = sorted(images.iterdir())
print(len(given), "given")
for number, image in enumerate(given):
    mask = cv2.imread(str(masks / image.name), cv2.IMREAD_GRAYSCALE)
    output = cv2.inpaint(cv2.imread(str(image)), mask, 3, cv2.INPAINT_TELEA)
    BEFORE
    cv2.imwrite(str(out / image.name), output)
"""
FAILS = """
    if number == 3 and len(given) == 8:
        (out / image.name).write_bytes(b"half a picture")
        print("loading\\nout of memory", file=sys.stderr)
        sys.exit(3)
"""
STOPS = """
    if number == 3 and len(given) == 8:
        import os, signal, time
        os.kill(os.getppid(), signal.SIGTERM)
        time.sleep(60)
"""
Script = Callable[..., str]
pytestmark = pytest.mark.usefixtures("forgotten")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with that of the algorithm which the programs here carry out."""
    folder = tmp_path_factory.mktemp("runs")
    words = ["run", "--baseline", "telea", *DATA, "--out", folder]
    assert main([str(word) for word in words]) == 0
    return folder


@pytest.fixture
def script(tmp_path: Path, root: Path) -> Iterator[Script]:
    """Write a program that does something before it saves a picture, and return its command."""

    def write(before: str = "") -> str:
        file = tmp_path / "fill.py"
        file.write_text(TELEA.replace("    BEFORE", before))
        words = shlex.join([sys.executable, str(file)])
        return f"command:{words} {{images}} {{masks}} {{out}}:name=mine"

    yield write
    for folder in [root / "mine-quick", *(root / "programs").glob("mine-*")]:
        shutil.rmtree(folder, ignore_errors=True)


def records(run: RunOf) -> pd.DataFrame:
    frame = pd.read_csv(run.records, dtype=str, keep_default_na=False)
    frame = frame[frame["method"] == run.method]
    return frame.drop(columns=["method", "fingerprint", "seconds"]).reset_index(drop=True)


def place(root: Path) -> Path:
    (found,) = (root / "programs").glob("mine-*")
    return found


def test_a_program_has_the_numbers_of_the_algorithm_that_it_carries_out(
    run: Run, root: Path, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["run", "--baseline", script(), "--cost", *DATA, "--out", root]
    code, out, err = run(*words)
    assert code == 0 and "| mine" in out and "run mine: 100%" in err, err
    assert "{out}', hole-white: 8 PNG, digest" in out and "not trained here" in out
    made = RunOf(root / "mine-quick")
    pd.testing.assert_frame_equal(records(RunOf(root / "telea-quick")), records(made))
    assert "{images}" in made.outputs["command"] and made.outputs["formats"] == {"PNG": 8}
    assert not (place(root) / "images").exists() and not made.cost.exists()
    (place(root) / "stdout.log").unlink()
    with caplog.at_level(logging.INFO, "bench"):
        assert run(*words)[0] == 0 and "is finished; skipped" in caplog.text
    assert not (place(root) / "stdout.log").exists()  # and the program did not start
    code, _, err = run("evaluate", "--run", made.path, "--out", root)
    assert code == 2 and "no network; the command by --baseline (" in err


@pytest.mark.slow
def test_another_command_asks_for_another_run_and_redo_starts_the_program_again(
    run: Run, root: Path, script: Script
) -> None:
    command, words = script(), [*DATA, "--out", root]
    assert run("run", "--baseline", command, *words)[0] == 0
    (place(root) / "stdout.log").unlink()
    assert run("run", "--baseline", command, *words, "--redo")[0] == 0
    assert (place(root) / "stdout.log").read_text() == "8 given\n"
    del registry.REGISTRY._items["mine"]  # as in another process
    code, _, err = run("run", "--baseline", f"{command}:polarity=hole-black", *words)
    assert code == 2 and "is a finished run of another command" in err and "hole-black. Use" in err


@pytest.mark.parametrize("before", [FAILS, STOPS], ids=["fails", "stops"])
def test_a_program_that_ended_early_goes_on_with_what_is_missing(
    run: Run, root: Path, script: Script, before: str
) -> None:
    words = ["run", "--baseline", script(before), *DATA, "--out", root]
    code, _, err = run(*words)
    if before == FAILS:
        assert code == 2 and f"{sys.executable} ended with code 3: out of memory; see " in err
    else:
        assert code == GO_ON_LATER and "stopped; the same command goes on" in err
    assert not (root / "mine-quick").exists()
    code, out, _ = run("clean", root, "--only", "programs", "--yes")
    assert code == 0 and out.count("| programs ") == 2 and not (place(root) / "images").exists()
    assert run(*words)[0] == 0
    assert (place(root) / "stdout.log").read_text() == "5 given\n"
    pd.testing.assert_frame_equal(
        records(RunOf(root / "telea-quick")), records(RunOf(root / "mine-quick"))
    )


def test_a_program_that_leaves_pictures_out_is_not_measured(
    run: Run, root: Path, script: Script
) -> None:
    words = ["run", "--baseline", script("    if number == 5: continue\n"), *DATA, "--out", root]
    code, _, err = run(*words)
    assert code == 2 and "out lacks 00005.png of 8 pictures; nothing measured" in err


def test_wrong_colours_are_told_as_of_any_outputs(run: Run, root: Path, script: Script) -> None:
    before = "    output = 255 - output\n"
    words = ["run", "--baseline", script(before), *DATA, "--out", root]
    code, _, err = run(*words)
    assert code == 2 and "00000.png is inverted; 8 of 8 outputs look wrong" in err
    script()
    assert run(*words)[0] == 2  # its pictures stay
    assert "is started again by --redo" in err and run(*words, "--redo")[0] == 0


def test_a_program_is_a_method_for_single_pictures_too(script: Script) -> None:
    subject = Subject(find(script()))
    assert any_side(subject) is blind_to_the_hole(subject) is None


def test_a_command_is_read_like_a_shell_line_without_a_shell() -> None:
    method = find("command:/opt/my fill/iopaint '{images}' a:b {masks} {out}:polarity=hole-black")
    assert isinstance(method, Program) and method.name == "my"
    assert method.words == ("/opt/my", "fill/iopaint", "{images}", "a:b", "{masks}", "{out}")
    assert method.polarity == "hole-black"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("command:prog {images} {out}", "the command names no {masks}"),
        ("command:", "the command names no {images}"),
        ("command:prog '{images} {masks} {out}", "the command cannot be read: No closing quot"),
        ("command:prog {images} {masks} {out}:polarity=white", "use hole-white or hole-black"),
        ("command:prog {images} {masks} {out}:size=8", "unknown option of a command 'size'"),
    ],
)
def test_a_command_that_cannot_work_is_refused(text: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        find(text)
    assert told in str(error.value)
