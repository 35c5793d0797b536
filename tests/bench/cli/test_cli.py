import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.cli.parser import main
from tests.bench.conftest import Run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny finished run; tests leave it as it is."""
    from tests.conftest import TINY

    out = tmp_path_factory.mktemp("runs")
    words = ["run", "--variant", "forward", *TINY, "--keep-checkpoints", "--out", str(out)]
    assert main(words) == 0
    return out / "forward-quick-seed0"


def picture(path: Path, height: int, width: int, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def hole(path: Path, height: int, width: int, share: float = 0.3) -> Path:
    pixels = np.zeros((height, width), np.uint8)
    pixels[: round(height * share)] = 255
    Image.fromarray(pixels).save(path)
    return path


def test_list_shows_name_summary_difference_and_parameters(run: Run) -> None:
    code, out, _ = run("list")
    assert code == 0
    row = next(line for line in out.splitlines() if line.startswith("| unlearned"))
    assert "attention=inverse" in row and "41,835,008" in row
    assert "68,317,748" in next(line for line in out.splitlines() if line.startswith("| full"))


def test_run_ends_with_table_plot_grid_and_records(finished: Path) -> None:
    for name in ("plot.png", "grid.png", "curves.png"):
        assert Image.open(finished / name).size[0] > 600
    table = (finished / "table.md").read_text()
    assert "| forward" in table and "| mean-colour" in table and "Quick preset" in table
    assert "no ImageNet weights of AlexNet" in table or "LPIPS" in table
    records = pd.read_csv(finished / "records.csv")
    assert set(records["region"]) == {"composite", "raw", "hole"}
    assert records.groupby("method")["pair"].nunique().to_dict() == {"forward": 8, "mean-colour": 8}
    assert len(list((finished / "samples").glob("*.png"))) == 2
    steps = pd.read_csv(finished / "log.csv")["step"].tolist()
    assert steps == [1, 2, 3, 4, 5, 6]
    scalars = pd.read_csv(finished / "scalars.csv")
    assert scalars["step"].tolist() == [0, 3, 6]
    a = scalars["mask_branch.levels.0.attention.a"]
    assert a[0] == 1.1 and a[2] != 1.1


def test_a_finished_run_is_skipped_and_another_config_is_refused(
    run: Run, finished: Path, tiny: list[str]
) -> None:
    before = (finished / "weights.safetensors").stat().st_mtime_ns
    words = ["run", "--variant", "forward", *tiny, "--out", finished.parent]
    assert run(*words)[0] == 0
    assert (finished / "weights.safetensors").stat().st_mtime_ns == before
    code, _, err = run(*words, "--lr", "0.5")
    assert code == 2
    assert "training.lr: 0.003 -> 0.5" in err and "--redo" in err
    assert (finished / "weights.safetensors").stat().st_mtime_ns == before


def test_redo_with_bad_input_loses_nothing(run: Run, finished: Path, tiny: list[str]) -> None:
    words = ["run", "--variant", "forward", *tiny, "--out", finished.parent, "--redo"]
    for wrong in (["--references", "nobody"], ["--lpips-weights", "absent.pth"]):
        assert run(*words, *wrong)[0] == 2
        assert (finished / "weights.safetensors").exists()


def test_redo_replaces_a_run(run: Run, tmp_path: Path, tiny: list[str]) -> None:
    words = ["run", "--variant", "no-gan", *tiny, "--out", tmp_path]
    assert run(*words)[0] == 0
    assert run(*words, "--steps", "4", "--redo")[0] == 0
    assert pd.read_csv(tmp_path / "no-gan-quick-seed0" / "log.csv")["step"].max() == 4


def test_no_gan_trains_no_critic(run: Run, tmp_path: Path, tiny: list[str]) -> None:
    assert run("run", "--variant", "no-gan", *tiny, "--out", tmp_path)[0] == 0
    columns = pd.read_csv(tmp_path / "no-gan-quick-seed0" / "log.csv").columns
    assert "adversarial" not in columns and "pixel" in columns


def test_report_is_made_from_records_alone(run: Run, finished: Path) -> None:
    table = (finished / "table.md").read_text()
    for name in ("table.md", "plot.png", "grid.png"):
        (finished / name).unlink()
    code, out, _ = run("report", "--out", finished.parent)
    assert code == 0
    assert (finished / "table.md").read_text() == table
    assert all((finished / f"{name}.png").exists() for name in ("plot", "grid", "curves"))
    assert "paper (0.1, 0.2]" in out and "27.80" in out  # Table 2, forward


def test_evaluate_repeats_the_runs_numbers(run: Run, finished: Path, tmp_path: Path) -> None:
    assert run("evaluate", "--run", finished, "--out", tmp_path, "--redo")[0] == 0
    (path,) = tmp_path.glob("*-on-*/records.csv")
    again, first = pd.read_csv(path), pd.read_csv(finished / "records.csv")
    assert again["value"].equals(first["value"])
    assert again["manifest"].equals(first["manifest"])
    told = path.with_name("table.md").read_text()
    assert "6 steps of batch 2" in told and "Its weights are those of forward-quick-seed0" in told


def test_evaluate_takes_a_checkpoint(run: Run, finished: Path, tmp_path: Path) -> None:
    last = finished / "checkpoints" / "00000006" / "model.safetensors"
    assert run("evaluate", "--run", finished, "--weights", last, "--out", tmp_path)[0] == 0
    (path,) = tmp_path.glob("*-on-*/records.csv")
    again, first = pd.read_csv(path), pd.read_csv(finished / "records.csv")
    assert again["value"].equals(first["value"])
    earlier = last.parent.with_name("00000003") / last.name
    assert run("evaluate", "--run", finished, "--weights", earlier, "--out", tmp_path)[0] == 0
    assert len(list(tmp_path.glob("*-on-*/records.csv"))) == 2


def test_evaluate_on_a_manifest_uses_its_pairs(run: Run, finished: Path, tmp_path: Path) -> None:
    words = ["evaluate", "--run", finished, "--out", tmp_path, "--pairs", 5, "--redo"]
    assert run(*words, "--manifest", finished / "manifest.json")[0] == 0
    (path,) = tmp_path.glob("*-on-*/records.csv")
    assert pd.read_csv(path)["pair"].nunique() == 8


def test_evaluate_measures_on_the_runs_own_pairs_or_on_those_that_are_asked_for(
    run: Run, finished: Path, tmp_path: Path, tiny: list[str]
) -> None:
    few = tmp_path / "few.json"
    words = ["run", "--baseline", "mean-colour", *tiny[:4], "--lpips", "off", "--out", tmp_path]
    assert run(*words, "--pairs", 1)[0] == 0
    (tmp_path / "mean-colour-quick" / "manifest.json").rename(few)

    def pairs(*options: object) -> int:
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        words = ["evaluate", "--run", made, "--lpips", "off", "--out", out, *options]
        code, _, err = run(*words)
        assert code == 0, err
        (path,) = out.glob("*-on-*/records.csv")
        return int(pd.read_csv(path)["pair"].nunique())

    made = tmp_path / "no-gan-quick-seed0"
    words = ["run", "--variant", "no-gan", *tiny, "--lpips", "off", "--out", tmp_path]
    assert run(*words, "--manifest", few)[0] == 0
    few.unlink()  # the run has its own copy
    assert (pairs("--redo"), pairs("--pairs", 3), pairs("--test-images", "sample")) == (4, 12, 8)
    assert pairs("--manifest", finished / "manifest.json") == 8
    code, out, _ = run("evaluate", "--run", made, "--out", tmp_path / "none")
    told = f"{made} is measured on these test pairs already; its numbers: {made}/records.csv\n"
    assert (code, out) == (0, told)
    assert not list(tmp_path.glob("none/[!.]*"))


def test_ablate_runs_skips_and_prints_the_papers_numbers_apart(
    run: Run, finished: Path, tiny: list[str]
) -> None:
    before = (finished / "weights.safetensors").stat().st_mtime_ns
    words = ["ablate", "--variants", "forward,3x3", *tiny, "--out", finished.parent]
    code, out, _ = run(*words)
    assert code == 0
    assert (finished / "weights.safetensors").stat().st_mtime_ns == before
    header = next(line for line in out.splitlines() if line.startswith("| method"))
    assert header.count("paper") == 4
    (folder,) = (finished.parent / "ablation").glob("*/")
    assert {"tables.md", "tables.tex", "metrics.csv", "report.html"} <= {
        p.name for p in folder.iterdir()
    }


def test_several_seeds_train_each_network_under_each_and_run_algorithms_once(
    run: Run, tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.profiling.cost.of_run", lambda run: None)
    words = ["compare", "--methods", "no-gan,mean-colour", "--seeds", "3, 4", *tiny]
    code, out, err = run(*words, "--lpips", "off", "--out", tmp_path)
    assert code == 0 and "over 2 images and 1-2 seeds" in out
    progress = [line for line in err.splitlines() if line.startswith("[")]
    assert progress == [
        "[1/3] no-gan-quick-seed3", "[2/3] mean-colour-quick", "[3/3] no-gan-quick-seed4"
    ]  # fmt: skip
    assert {path.parent.name for path in tmp_path.glob("*/state.json")} == {
        "no-gan-quick-seed3", "no-gan-quick-seed4", "mean-colour-quick"
    }  # fmt: skip


@pytest.mark.parametrize(("height", "width"), [(16, 16), (37, 90), (130, 64)])
def test_inpaint_fills_any_size_and_keeps_known_pixels(
    run: Run, finished: Path, tmp_path: Path, height: int, width: int
) -> None:
    image = picture(tmp_path / "image.png", height, width)
    mask = hole(tmp_path / "mask.png", height, width)
    out = tmp_path / "filled.png"
    code, _, _ = run("inpaint", "--run", finished, "--image", image, "--mask", mask, "--out", out)
    assert code == 0
    before, after = np.asarray(Image.open(image)), np.asarray(Image.open(out))
    rows = round(height * 0.3)
    assert np.array_equal(before[rows:], after[rows:])
    assert not np.array_equal(before[:rows], after[:rows])


def test_inpaint_in_bf16_is_near_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from bench.config import Model
    from bench.evaluation import picture
    from bench.networks.initialisation import initialise
    from bench.registry import find

    network = find("full").build(Model(width=4, depth=3))
    initialise(network, 0, lambda parameter: 0.2)
    image, mask = torch.rand(1, 3, 40, 40), torch.ones(1, 1, 40, 40)
    mask[..., 10:30, 10:30] = 0
    outputs = []
    for units in (False, True):
        monkeypatch.setattr(picture, "has_bf16_units", lambda where, u=units: u)
        outputs.append(picture.fill_picture(network, image, mask, torch.device("cpu")))
    assert outputs[1].dtype == torch.float32
    known = mask.expand_as(image) > 0.5
    assert torch.equal(outputs[1][known], image[known])
    assert 0 < (outputs[0] - outputs[1]).abs().max() < 0.1


def test_inpaint_polarity_is_declared(run: Run, finished: Path, tmp_path: Path) -> None:
    image, mask = picture(tmp_path / "i.png", 64, 64), hole(tmp_path / "m.png", 64, 64)
    words = ["inpaint", "--run", finished, "--image", image, "--mask", mask]
    out = tmp_path / "o.png"
    assert run(*words, "--out", out, "--polarity", "hole-black")[0] == 0
    before, after = np.asarray(Image.open(image)), np.asarray(Image.open(out))
    assert np.array_equal(before[:19], after[:19])


def test_inpaint_tells_runs_of_one_method_apart_and_warns_of_short_ones(
    run: Run, finished: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = shutil.copytree(finished, tmp_path / "forward-other")
    image, mask = picture(tmp_path / "i.png", 40, 50), hole(tmp_path / "m.png", 40, 50)
    words = ["inpaint", "--image", image, "--mask", mask, "--out", tmp_path / "out"]
    words += ["--run", finished, "--run", other, "--baseline", "telea"]
    assert run(*words)[0] == 0
    found = {path.parent.name for path in (tmp_path / "out").rglob("i.png")}
    assert found == {finished.name, "forward-other", "telea", "sheets"}
    text = "trained with the preset quick for 6 steps at 64 px, width 4; its pictures say little"
    assert caplog.text.count(text) == 2
    code, _, err = run(*words, "--run", finished)
    assert code == 2 and f"{finished.name} is given 2 times" in err


def test_inpaint_refuses_what_cannot_be_filled(run: Run, finished: Path, tmp_path: Path) -> None:
    image, out = picture(tmp_path / "i.png", 64, 64), tmp_path / "o.png"
    cases = {
        "must be of one size": hole(tmp_path / "size.png", 64, 65),
        "no known pixel": hole(tmp_path / "all.png", 64, 64, 1.0),
        "no hole": hole(tmp_path / "none.png", 64, 64, 0.0),
        "no file": tmp_path / "absent.png",
    }
    for text, mask in cases.items():
        code, _, err = run(
            "inpaint", "--run", finished, "--image", image, "--mask", mask, "--out", out
        )
        assert (code, text in err, out.exists()) == (2, True, False), text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["rum"], "unknown command 'rum'; did you mean run"),
        (["run", "--variant", "frward"], "unknown variant 'frward'; did you mean forward"),
        (["run", "--variant", "full", "--batchsize", "3"], "did you mean --batch-size"),
        (["run", "--variant", "full", "--steps", "many"], "--steps"),
        (["run", "--variant", "full", "--preset", "quik"], "did you mean quick"),
        (["run", "--variant", "released"], "--weights"),
        (["run", "--variant", "full", "--images", "sampel"], "did you mean sample"),
        (["run", "--variant", "full", "--masks", "stroks"], "did you mean strokes"),
        (["run", "--variant", "full", "--images", "folder:/no/such/place"], "/no/such/place"),
        (["run", "--variant", "full", "--test-masks", "masks:/no/such"], "--polarity"),
        (["run", "--variant", "full", "--references", "full"], "--references full"),
        (["run", "--variant", "full", "--batch-size", "1", "--depth", "7"], "--batch-size 1"),
        (["run"], "--variant"),
        (["run", "--variant", "full", "--baseline", "pconv"], "not allowed with"),
        (["run", "--baseline", "full"], "'full' is a variant, no baseline; use --variant full"),
        (["run", "forward"], "unexpected word 'forward'; did you mean --variant forward?"),
        (["run", "pconv"], "unexpected word 'pconv'; did you mean --baseline pconv?"),
        (["run", "frward"], "unexpected word 'frward'; see `python -m bench run --help`"),
        (["ablate", "forward"], "unexpected word 'forward'; see"),
        (["run", "--variant", "full", "--images", "/no/such"], "no folder /no/such"),
        (["run", "--baseline", "patch-match"], "did you mean patchmatch"),
        (["compare", "--methods", "full,pconf"], "did you mean pconv"),
        (["compare", "--methods", "full,released"], "--weights"),
        (["run", "--variant", "full", "--preset", "paper"], "NVIDIA's set of test masks is not in"),
        (["run", "--variant", "full", "--images", "paris"], "Paris StreetView is not in"),
        (["run", "--baseline", "telea", "--images", "places365"], "Places365-standard is not in"),
        (["run", "--variant", "full", "--masks", "qd-imd"], "QD-IMD is not in"),
        (["run", "--variant", "full", "--masks", "nvidia:/no/such"], "/no/such"),
        (["evaluate"], "--run DIR"),
        (["evaluate", "--run", "/no/such/run"], "/no/such/run"),
        (["report", "--out", "/no/such/runs"], "no finished run"),
        (["speed", "--only", "trainign"], "did you mean training"),
        (["run", "--variant", "full", "--out", "/proc/nowhere"], "/proc/nowhere"),
        (["run", "--variant", ""], "unknown variant ''"),
        (["run", "--baseline", ""], "unknown baseline ''"),
        (["ablate", "--variants", ""], "--variants '' lacks a name"),
        (["ablate", "--variants", "full,,forward"], "--variants 'full,,forward' lacks a name"),
        (["compare", "--methods", ""], "--methods '' lacks a name"),
        (["ablate", "--seeds", "0,,1"], "--seeds '0,,1' lacks a name"),
        (["ablate", "--seeds", "0,one"], "--seeds 0,one: give whole numbers separated by commas"),
        (["ablate", "--seeds", "1,0,01"], "--seeds 1,0,01: a seed stands there twice"),
        (["compare", "--seeds", "0,1", "--seed", "2"], "--seed and --seeds: give only one of them"),
        (["ablate", "--seeds", "99999999999999999999"], "--seed is 99999999999999999999; it must"),
        (["compare", "--methods", ","], "--methods ',' lacks a name"),
        (["run", "--variant", "full", "--references", ","], "--references ,: a name is missing"),
        (["run", "--variant", "full", "--images", ""], "unknown image source ''"),
        (["run", "--variant", "full", "--masks", ""], "unknown mask source ''"),
        (["run", "--variant", "full", "--margins", "psnr=inf"], "--margins psnr=inf: give"),
        (["run", "--variant", "full", "--margins", ","], "--margins : give"),
        (
            ["evaluate", "--baseline", "pconv", "--weights", "w", "--margins", "psnr=nan"],
            "psnr=nan",
        ),
        (["evaluate", "--baseline", "pconv", "--weights", "w", "--size", "8"], "--size is 8;"),
        (["run", "--variant", "full", "--lr", "nan"], "--lr is nan; it must be above 0"),
        (["run", "--variant", "full", "--workers", "-1"], "--workers is -1;"),
        (["run", "--variant", "full", "--depth", "100000"], "--depth is 100000;"),
        (["run", "--variant", "full", "--width", "4096"], "--width 4096 takes at least"),
        (["run", "--baseline", "pconv", "--objective", "released"], "error: --objective released"),
        (["speed", "--repeats", "0"], "--repeats: 0 must be from 1 to 1000"),
        (["speed", "--repeats", "-1"], "--repeats: -1 must be"),
        (["speed", "--repeats", "x"], "--repeats: 'x' is no whole number"),
        (["study", "make", "--questions", "0"], "--questions: 0 must be"),
        (["study", "make", "--questions", "-1"], "--questions: -1 must be"),
        (["study", "make", "--seed", "9223372036854775808"], "--seed: 9223372036854775808 must"),
        (["study", "make", "--methods", "full,"], "no finished run"),
        (["check", ""], "check one method by its NAME"),
    ],
)
def test_bad_words_get_one_line_and_code_2(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # named data sets lie below it
    code, _, err = run(*words)
    assert code == 2
    line = err.strip().splitlines()[-1]
    assert line.startswith("error: ") and text in line
    assert not list(tmp_path.glob("runs/*/state.json"))


def test_bad_images_are_named(run: Run, tmp_path: Path, tiny: list[str]) -> None:
    folder = tmp_path / "photos"
    words = ["run", "--variant", "full", *tiny, "--images", f"folder:{folder}", "--out", tmp_path]
    folder.mkdir()
    assert "holds no images" in run(*words)[2]
    for split in ("train", "val", "test"):
        for number in range(2):
            picture(folder / split / f"{number}.png", 100, 120, number)
    small = picture(folder / "train" / "small.png", 40, 300)
    code, _, err = run(*words)
    assert code == 2 and "small.png is 40 pixels" in err
    small.unlink()
    whole = (folder / "train" / "0.png").read_bytes()
    (folder / "train" / "0.png").write_bytes(whole[: len(whole) // 2])
    code, _, err = run(*words)
    assert code == 2 and "0.png is damaged or truncated" in err
    assert not (tmp_path / "full-quick-seed0" / "state.json").exists()
    (folder / "train" / "0.png").write_bytes(whole)
    assert run(*words)[0] == 0


def test_missing_vgg16_weights_say_how_to_mend_it(
    run: Run, tmp_path: Path, tiny: list[str]
) -> None:
    words = ["run", "--variant", "full", *tiny, "--out", tmp_path, "--features", "vgg16"]
    code, _, err = run(*words, "--vgg16-weights", tmp_path / "absent.pth")
    assert code == 2 and "absent.pth" in err


def test_masks_that_fall_in_no_bucket_are_said(run: Run, tmp_path: Path, tiny: list[str]) -> None:
    folder = tmp_path / "masks"
    folder.mkdir()
    hole(folder / "a.png", 64, 64, 0.25)
    words = ["run", "--variant", "full", *tiny, "--out", tmp_path, "--polarity", "hole-white"]
    code, _, err = run(*words, "--test-masks", f"masks:{folder}")
    assert code == 2 and "(0.1, 0.2]" in err
