"""`inpaint` with folders, several methods, and options that cannot be meant."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from bench.cli import fillers
from bench.config import Model
from bench.core.errors import UserError
from bench.evaluation.picture import Filler
from bench.inpainting.jobs import Job
from bench.networks.initialisation import initialise
from bench.presets import preset
from bench.registry import find, reference
from tests.bench.cli.test_cli import hole, picture
from tests.bench.conftest import Run

ROOT = Path(__file__).parents[3]
CPU = torch.device("cpu")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with three photographs and masks of two sizes."""
    monkeypatch.chdir(tmp_path)
    Path("masks").mkdir()
    for number, (height, width) in enumerate([(20, 24), (20, 24), (30, 17)]):
        picture(Path("photos", f"{number}.png"), height, width, seed=number)
        hole(Path("masks", f"{number}.png"), height, width)
    return tmp_path


def saved_weights(model: Model) -> None:
    """Save weights of the reference method as `w.safetensors`."""
    network = reference().build(model)
    initialise(network, 0)
    save_file(network.state_dict(), "w.safetensors")


FOLDERS = ("--image", "photos", "--mask", "masks", "--out", "out")


def test_a_folder_is_filled_like_its_pictures(run: Run, place: Path) -> None:
    code, out, err = run("inpaint", "--baseline", "telea", *FOLDERS)
    assert (code, out) == (0, "3 of 3 pictures are filled -> out\n")
    assert "inpaint telea: 100%" in err
    assert sorted(p.name for p in Path("out").iterdir()) == [
        "0.png", "1.png", "2.png", "inpaint.json"
    ]  # fmt: skip
    words = ["--image", "photos/1.png", "--mask", "masks/1.png", "--out", "one.png"]
    assert run("inpaint", "--baseline", "telea", *words)[0] == 0
    assert np.array_equal(Image.open("one.png"), Image.open("out/1.png"))


def test_finished_pictures_are_skipped_unless_redo_is_given(run: Run, place: Path) -> None:
    words = ["inpaint", "--baseline", "mean-colour", *FOLDERS]
    assert run(*words)[0] == 0
    Path("out/1.png").unlink()
    made = Path("out/0.png").stat().st_ino
    code, out, _ = run(*words)
    assert code == 0
    assert "3 of 3 pictures are filled, 2 of them before (--redo fills them again)" in out
    assert Path("out/1.png").exists() and Path("out/0.png").stat().st_ino == made
    code, _, err = run(*words, "--dilate", "2")
    assert code == 2 and "--redo to replace it" in err
    assert run(*words, "--dilate", "2", "--redo")[:2] == (0, "3 of 3 pictures are filled -> out\n")
    before, after = (np.asarray(Image.open(f"{name}/0.png")) for name in ("photos", "out"))
    assert (before[8:] == after[8:]).all() and (before[6:8] != after[6:8]).any()


def test_a_broken_picture_does_not_stop_the_others(run: Run, place: Path) -> None:
    Path("photos/1.png").write_bytes(b"broken")
    hole(Path("masks/2.png"), 31, 17)
    code, out, err = run("inpaint", "--baseline", "telea", *FOLDERS)
    assert code == 2 and "1 of 3 pictures are filled" in out
    assert "1.png is not an image" in err and "they must be of one size" in err
    assert err.endswith("error: 2 of 3 pictures not filled: 1.png, 2.png\n")
    assert Path("out/0.png").exists() and not Path("out/1.png").exists()


def test_several_methods_have_a_folder_each_and_a_sheet(run: Run, place: Path) -> None:
    methods = ["--baseline", "telea", "--baseline", "mean-colour"]
    assert run("inpaint", *methods, *FOLDERS)[0] == 0
    for name in ("telea", "mean-colour", "sheets"):
        found = {path.name for path in Path("out", name).glob("*.png")}
        assert found == {"0.png", "1.png", "2.png"}
    words = ["--image", "photos/1.png", "--mask", "masks/1.png", "--out", "single"]
    assert run("inpaint", *methods, *words)[0] == 0
    assert np.array_equal(Image.open("single/telea/1.png"), Image.open("out/telea/1.png"))


def test_nothing_is_written_if_one_method_cannot_begin(run: Run, place: Path) -> None:
    picture(Path("out/mean-colour/1.png"), 20, 24)
    before = sorted(place.rglob("*"))
    words = ["--baseline", "telea", "--baseline", "mean-colour"]
    code, _, err = run("inpaint", *words, *FOLDERS)
    assert code == 2 and "out/mean-colour/1.png was made by something else" in err
    assert sorted(place.rglob("*")) == before


def test_weights_go_to_the_one_method_that_needs_them(run: Run, place: Path) -> None:
    name = reference().name
    saved_weights(Model(width=2, depth=3))
    sizes = ["--width", "2", "--depth", "3"]
    words = ["--variant", name, "--baseline", "telea", "--weights", "w.safetensors", *sizes]
    assert run("inpaint", *words, *FOLDERS)[0] == 0
    assert {p.name for p in Path("out").iterdir()} == {name, "telea", "sheets"}
    code, _, err = run("inpaint", *words, "--baseline", "pconv", *FOLDERS)
    assert code == 2 and "it is for one method, and 2 of those given need weights" in err


MEASURED = """
import resource, sys
from bench.cli.parser import main
assert main(sys.argv[1:]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_twelve_megapixels_fit_in_two_gigabytes(place: Path) -> None:
    """Several holes: small ones, a scratch from side to side, and one that is large and thick."""
    holes = np.zeros((3000, 4000), np.uint8)
    for top, left, height, width in [
        (100, 100, 200, 300), (2700, 3800, 300, 200), (800, 0, 12, 4000), (1500, 900, 900, 1200)
    ]:  # fmt: skip
        holes[top : top + height, left : left + width] = 255
    picture(Path("i.jpg"), 3000, 4000)
    Image.fromarray(holes).save("m.png")
    saved_weights(Model())
    words = ["inpaint", "--variant", reference().name, "--weights", "w.safetensors"]
    words += ["--image", "i.jpg", "--mask", "m.png", "--out", "o.png", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout.split()[-1]) * 1024 < 2e9
    assert Image.open("o.png").size == (4000, 3000)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--image", "photos/1.png", "--mask", "masks", "--out", "o.png"], "is a folder; then"),
        (["--image", "photos", "--mask", "masks", "--out", "o.png"], "is no name of a folder"),
        (["--image", "photos", "--mask", "masks", "--out", "photos"], "among the inputs"),
        (["--image", "photos", "--mask", "absent", "--out", "out"], "no file or folder absent"),
        (["--image", "absent.png", "--mask", "masks/1.png", "--out", "o.png"], "no file absent"),
        (["--image", "photos/1.png", "--mask", "masks/1.png", "--out", "o.xyz"], "use .png"),
        ([*FOLDERS, "--dilate", "1001"], "--dilate: 1001 must be from 0 to 1000"),
        ([*FOLDERS, "--baseline", "telea"], "telea is given 2 times"),
        ([*FOLDERS, "--weights", "w"], "it is for one method, and 0 of those given need weights"),
        ([*FOLDERS, "--variant", "full"], "say what to use"),
        ([*FOLDERS, "--run", "absent"], "absent is not a run"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_nothing_is_written(
    run: Run, place: Path, words: list[str], text: str
) -> None:
    before = sorted(place.rglob("*"))
    code, _, err = run("inpaint", "--baseline", "telea", *words)
    assert code == 2 and err.startswith("error: ") and err.count("\n") == 1
    assert text in err
    assert sorted(place.rglob("*")) == before


def test_a_run_of_an_algorithm_fills_without_weights_or_warning(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known = (find("telea"), preset("quick"), Path("absent"))
    monkeypatch.setattr("bench.cli.methods.weights", lambda *_: known)
    assert run("inpaint", "--run", "runs/telea-quick", *FOLDERS)[0] == 0
    assert caplog.text == ""
    code, _, err = run("inpaint", "--run", "runs/telea-quick", "--weights", "w", *FOLDERS)
    assert code == 2 and "--weights has no effect on runs/telea-quick" in err


def test_no_network_is_loaded_for_what_cannot_be_filled(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fillers.Source, "network", lambda _: pytest.fail("loaded"))
    for image, mask, out in [("0", "0", "o.xyz"), ("absent", "0", "o.png"), ("0", "2", "o.png")]:
        words = ["--image", f"photos/{image}.png", "--mask", f"masks/{mask}.png", "--out", out]
        assert run("inpaint", "--baseline", "telea", *words)[0] == 2


def test_networks_are_compiled_for_the_usual_size_where_there_are_many(
    place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compiled: list[tuple[int, int]] = []
    monkeypatch.setattr(Filler, "compile", lambda self, *size: compiled.append(size))
    network = Filler(reference().build(Model(width=2, depth=3)), CPU)
    algorithm = Filler(find("telea").build(Model()), CPU)
    jobs = [Job(file, file) for file in sorted(Path("photos").iterdir())]
    fillers.compile_for(network, jobs, "auto")
    fillers.compile_for(network, jobs, "off")
    fillers.compile_for(algorithm, jobs, "on")
    assert compiled == []
    fillers.compile_for(network, jobs, "on")
    monkeypatch.setattr(fillers, "MANY", 2)
    fillers.compile_for(network, jobs, "auto")
    assert compiled == [(20, 24)] * 2
    picture(Path("large.png"), 600, 600)
    with pytest.raises(UserError, match="no picture is small enough to be filled as a whole"):
        fillers.compile_for(network, [Job(Path("large.png"), Path())], "on")

    def fail(*_: object) -> None:
        raise UserError("--compile on: there is no C++ compiler")

    monkeypatch.setattr(Filler, "compile", fail)
    fillers.compile_for(network, jobs, "auto")
    assert "going on without compiled weights: --compile on: there is no" in caplog.text
    with pytest.raises(UserError, match="there is no C"):
        fillers.compile_for(network, jobs, "on")
