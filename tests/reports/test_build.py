"""The report of a folder of runs: what is written, and which runs stand together."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.config import identity, override, to_dict
from bench.core.files import read_json, write_json, write_text
from bench.core.run_folder import RunFolder
from bench.evaluation import records
from bench.presets import preset
from bench.runs.run import Run
from reports import build, provenance
from reports.expected import Expected

BUCKETS = ["(0.1, 0.2]", "(0.2, 0.3]"]


def write_run(
    root: Path, method: str, seed: int = 0, trained: bool = True, **asked: object
) -> RunFolder:
    """A finished run with eight pairs, and pictures of two of them."""
    family = "variant" if method in ("full", "forward") else "baseline"
    run = RunFolder(root / f"{method}-{seed}-{len(asked)}")
    config = override(preset("quick"), {"seed": seed})
    settings = {"test pairs": "p", "evaluation.lpips": "alex"} | asked
    if trained:
        settings = {"training images": "i", **identity(config), **settings}
    write_json(run.identity, {"method": method, "code": method, **settings})
    write_json(run.config, to_dict(config))
    write_json(
        run.environment,
        {"packages": {"torch": "t"}, "device": "CPU", "commit": "c", "uncommitted changes": False},
    )
    stream = np.random.default_rng(len(method) + seed)
    frame = pd.DataFrame(
        [
            {"family": family, "method": method, "seed": seed, "pair": pair,
             "image": f"image {pair % 4}",
             "bucket": BUCKETS[pair // 4], "ratio": 0.12 + 0.02 * pair, "metric": metric,
             "region": region, "value": 20 + stream.normal(),
             "manifest": settings["test pairs"],
             "fingerprint": f"{method}{seed}"}
            for pair in range(8)
            for metric, region in (("psnr", "composite"), ("psnr", "hole"), ("ssim", "composite"))
        ]
    )  # fmt: skip
    rest = dict.fromkeys(("mask", "mask_hash", "note"), "")
    numbers = dict.fromkeys(("top", "left", "metric_version", "seconds"), 0)
    records.write(run.records, frame.assign(**rest, **numbers))
    for pair in (0, 4):
        for what in ("input", "output", "truth"):
            file = run.pictures.file(pair, what)
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), (pair, 0, 0)).save(file)
    if trained:
        write_text(run.log, "step,pixel,total\n10,1,2\n20,0.5,1\n")
        write_text(run.validation, "step,psnr\n20,21\n")
    return run


def test_runs_stand_together_if_only_method_and_seed_differ(tmp_path: Path) -> None:
    same = [write_run(tmp_path, "full"), write_run(tmp_path, "full", 1)]
    same.append(write_run(tmp_path, "pconv"))
    other = write_run(tmp_path, "forward", **{"training.lr": 0.5})
    found = provenance.groups([*same, other])
    assert sorted(map(len, found.values())) == [1, 3]


def test_an_algorithm_stands_beside_all_that_were_measured_alike(tmp_path: Path) -> None:
    first, second = write_run(tmp_path, "full"), write_run(tmp_path, "full", **{"training.lr": 0.5})
    telea = write_run(tmp_path, "telea", trained=False)
    elsewhere = write_run(tmp_path, "biharmonic", trained=False, **{"test pairs": "q"})
    found = list(provenance.groups([telea, first, second, elsewhere]).values())
    assert found == [[first, telea], [second, telea], [elsewhere]]


def test_a_setting_that_does_not_concern_a_method_keeps_no_run_apart(tmp_path: Path) -> None:
    """PConv has no critic, so its identity holds no rate of one."""
    full = write_run(tmp_path, "full")
    pconv = write_run(tmp_path, "pconv")
    settings = pconv.read_identity()
    write_json(pconv.identity, {k: v for k, v in settings.items() if k != "training.critic_lr"})
    other = write_run(tmp_path, "forward", **{"training.critic_lr": 0.5})
    assert list(provenance.groups([full, pconv, other]).values()) == [[full, pconv], [pconv, other]]


def given_outputs(root: Path, method: str, digest: str = "d", **asked: object) -> RunFolder:
    """A run of outputs that were made elsewhere."""
    facts = {
        "digest": digest, "formats": {"JPEG": 1, "PNG": 7}, "conversions": {"grey to RGB": 2},
        "known pixels changed": 0.125, "known pixels differ by": 1.5,
    }  # fmt: skip
    return write_run(root, method, trained=False, outputs=facts, **asked)


def test_given_outputs_stand_beside_all_that_were_measured_alike(tmp_path: Path) -> None:
    first, second = write_run(tmp_path, "full"), write_run(tmp_path, "full", **{"training.lr": 0.5})
    telea = write_run(tmp_path, "telea", trained=False)
    mine, yours = given_outputs(tmp_path, "mine"), given_outputs(tmp_path, "yours", "e")
    elsewhere = given_outputs(tmp_path, "other", **{"test pairs": "q"})
    runs = [telea, first, second, mine, yours, elsewhere]
    assert list(provenance.groups(runs).values()) == [
        [first, telea, mine, yours], [second, telea, mine, yours], [elsewhere]
    ]  # fmt: skip


def test_given_outputs_are_compared_with_each_seed_of_the_reference(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, "full", seed) for seed in (0, 1)]
    runs.append(given_outputs(tmp_path, "mine"))
    text = build.everything(runs, tmp_path / "report")
    (differences,) = (tmp_path / "report" / "comparison").glob("*/differences.csv")
    assert set(pd.read_csv(differences).query("method == 'mine'")["seeds"]) == {2}
    assert "preset quick, not trained here, " in text
    assert "a folder: 1 JPEG, 7 PNG (2 grey to RGB), digest d. They changed 12.5% of the" in text
    assert "by 1.50 levels" in text
    # Variants alone are in the ablation.
    (ablation,) = (tmp_path / "report" / "ablation").glob("*/metrics.csv")
    assert set(pd.read_csv(ablation)["method"]) == {"full"}


def test_a_model_that_no_registry_knows_is_a_baseline_without_seeds(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, "full", seed) for seed in (0, 1)]
    runs.append(write_run(tmp_path, "lama", trained=False, code="c, onnx 12ab:size=512"))
    text = build.everything(runs, tmp_path / "report")
    (differences,) = (tmp_path / "report" / "comparison").glob("*/differences.csv")
    assert set(pd.read_csv(differences).query("method == 'lama'")["seeds"]) == {2}
    assert "Its model was not trained here: onnx 12ab:size=512." in text
    (ablation,) = (tmp_path / "report" / "ablation").glob("*/metrics.csv")
    assert set(pd.read_csv(ablation)["method"]) == {"full"}


def environment(run: RunFolder, **values: object) -> None:
    """Change a run's environment."""
    write_json(run.environment, read_json(run.environment) | values)


def test_runs_of_one_commit_and_one_code_are_not_warned_of(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, "full"), write_run(tmp_path, "full", 1)]
    runs.append(write_run(tmp_path, "telea", trained=False))
    assert provenance.warnings(runs) == [provenance.QUICK_NOTE]


def test_runs_of_one_method_by_different_code_are_named(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, "full", seed) for seed in (0, 1, 2)]
    runs.append(write_run(tmp_path, "forward"))
    write_json(runs[1].identity, runs[1].read_identity() | {"code": "other"})
    assert len(provenance.groups(runs)) == 1
    _, warning = provenance.warnings(runs)
    assert "runs of full were made by different code" in warning
    assert f"full: {runs[0].name}, {runs[2].name}; other: {runs[1].name})" in warning
    assert "forward" not in warning


@pytest.mark.parametrize("what", ["a file", "a command"])
def test_two_models_of_one_name_are_no_one_method(tmp_path: Path, what: str) -> None:
    """`model.onnx` is what every export is called, and `--name` tells runs apart, not methods."""
    full = write_run(tmp_path, "full")
    if what == "a file":
        made = [{"code": f"c, onnx {digest}"} for digest in "ab"]
    else:
        made = [{"outputs": {"digest": "d", "command": f"fill {speed}"}} for speed in "ab"]
    one, other = (
        write_run(tmp_path, "model", n, trained=False, **given) for n, given in enumerate(made)
    )
    assert list(provenance.groups([full, one, other]).values()) == [[full, one], [other]]
    telea = write_run(tmp_path, "telea", trained=False)
    found = provenance.groups([telea, one, other]).values()
    assert list(found) == [[telea, one], [telea, other]]
    write_json(other.identity, one.read_identity() | {"test pairs": "q"})
    (joined,) = provenance.groups([one, other], but_for=["test pairs"]).values()
    assert joined == [one, other]  # on several data sets a model has one row


def test_one_method_with_weights_of_two_origins_stands_in_two_tables(tmp_path: Path) -> None:
    trained = write_run(tmp_path, "full")
    given = [write_run(tmp_path, "full", n, False, weights=f"w{n}", code="full") for n in (1, 2)]
    other = write_run(tmp_path, "forward", 0, False, weights="w3", code="forward")
    runs = [Run(run.path) for run in (trained, *given, other)]
    groups = [sorted(run.name for run in group) for group in provenance.groups(runs).values()]
    assert sorted(groups) == [
        sorted([alone.name, other.name]) for alone in (trained, *given)
    ]  # fmt: skip


def test_runs_of_several_commits_are_named(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, name) for name in ("full", "forward", "sigmoid")]
    environment(runs[1], commit="d" * 40)
    _, warning = provenance.warnings(runs)
    assert warning.startswith("No single commit holds the code of all runs")
    assert f"commit c: {runs[0].name}, {runs[2].name}; commit {'d' * 12}: forward" in warning


def test_uncommitted_changes_are_named(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, name) for name in ("full", "forward")]
    environment(runs[1], **{"uncommitted changes": True})
    _, warning = provenance.warnings(runs)
    assert f"commit c: {runs[0].name}; commit c with uncommitted changes: forward" in warning
    environment(runs[0], **{"uncommitted changes": True})
    assert "commit c with uncommitted changes: full" in provenance.warnings(runs)[1]
    assert provenance.warnings(runs[:1]) == [provenance.QUICK_NOTE]  # nothing to differ from


def test_the_lines_count_mask_families_by_bucket(tmp_path: Path) -> None:
    run = write_run(tmp_path, "full")
    frame = records.read([run.records])
    assert not any("Mask families" in line for line in provenance.lines(frame, [run]))
    counts = {BUCKETS[0]: {"files": 3, "shapes": 1}, BUCKETS[1]: {"files": 4}}
    write_json(run.manifest, {"mask_families": counts})
    assert (
        "Mask families by bucket, in test pairs: (0.1, 0.2] 3 files, 1 shapes; (0.2, 0.3] 4 files."
        in provenance.lines(frame, [run])
    )


def test_a_run_says_which_weights_are_not_the_published_ones(tmp_path: Path) -> None:
    run = write_run(tmp_path, "pconv")
    frame = records.read([run.records])
    assert not any("published" in line for line in provenance.lines(frame, [run]))
    write_json(run.identity, {"method": "pconv", "departures": {"valid": 6.0, "style": 10.0}})
    *_, line = provenance.lines(frame, [run])
    assert line.endswith(" Its own loss has other weights than published: valid 6, style 10.")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of four runs."""
    root = tmp_path_factory.mktemp("runs")
    runs = [write_run(root, "full", seed) for seed in (0, 1)]
    runs += [write_run(root, "forward"), write_run(root, "telea", trained=False)]
    write_json(
        runs[-1].cost,
        {"method": "telea", "parameters": 0, "multiply_adds": 0, "milliseconds": 3.0,
         "peak_mib": 5.0, "device": "CPU", "size": 256},
    )  # fmt: skip
    build.everything(runs, root / "report")
    return root / "report"


def test_a_report_reads_each_run_once_and_keeps_each_record_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [write_run(tmp_path, "full", seed) for seed in (0, 1)]
    floor = records.read([write_run(tmp_path / "other", "mean-colour").records])
    for run in runs:  # as an evaluation measures it next to every method
        own = records.read([run.records])
        records.write(run.records, pd.concat([own, floor]))
    read: list[Path] = []
    frames: list[pd.DataFrame] = []

    def counted(path: Path, **options: object) -> pd.DataFrame:
        if "nrows" not in options:  # one row tells a fingerprint
            read.append(path)
        return original(path, **options)

    original: Any = pd.read_csv
    monkeypatch.setattr(pd, "read_csv", counted)
    monkeypatch.setattr(build, "_plots", lambda *_: iter(()))  # they take seconds, and no records
    monkeypatch.setattr(build, "_figures", lambda frame, *_: frames.append(frame))
    build.ablation(runs, tmp_path / "report")
    assert [path for path in read if path.name == "records.csv"] == [run.records for run in runs]
    counts = frames[0]["method"].value_counts().to_dict()
    assert counts == {"full": 2 * len(floor), "mean-colour": len(floor)}


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of tables and notes: plots take seconds."""
    monkeypatch.setattr(build, "_plots", lambda *_: iter(()))
    monkeypatch.setattr(build, "_figures", lambda *_: None)


@pytest.mark.usefixtures("undrawn")
def test_mask_families_have_tables_where_there_are_several(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, method) for method in ("full", "forward")]
    alike = build.ablation(runs, tmp_path / "alike")
    assert "by mask family" not in alike
    for run in runs:
        frame = pd.read_csv(run.records)
        mask = frame["pair"].map(lambda pair: ("a.png", "shapes/test/0/1/3")[pair % 2])
        frame.assign(mask=mask).to_csv(run.records, index=False)
    text = build.ablation(runs, tmp_path / "out")
    assert "**PSNR, dB (higher is better), composite, by mask family**" in text
    assert "| files n=4" in text and "| shapes n=4" in text
    (folder,) = (tmp_path / "out").iterdir()
    assert (folder / "families.csv").exists() and "by mask family" in (
        folder / "report.html"
    ).read_text(encoding="utf-8")


def test_missing_runs_have_rows_and_notes(tmp_path: Path) -> None:
    full = [write_run(tmp_path, "full", seed) for seed in (0, 1)]
    relu = write_run(tmp_path, "relu")
    expected = [
        *(Expected(run.name, "full", "") for run in full),
        Expected("full-2", "full", "", "queued: job 12"),
        Expected("forward-0", "forward", "", "failed: <b> is *nan*"),
        Expected(relu.name, "relu", ""),
    ]
    text = build.ablation([*full, relu], tmp_path / "report", expected)
    (folder,) = (tmp_path / "report").iterdir()
    notes = ["Missing: full-2: queued: job 12", r"Missing: forward-0: failed: \<b> is \*nan\*"]
    assert text.split("\n\n")[1:3] == notes
    psnr = text.split("composite**\n\n")[1].split("\n\n")[0]
    header, _, *table = [line.strip("| ").split(" | ") for line in psnr.splitlines()]
    assert [row[0].strip() for row in table] == ["full", "forward", "relu"]
    measured = [n for n, name in enumerate(header) if not name.startswith(("method", "paper"))]
    assert [table[1][n].strip() for n in measured] == ["-"] * 3
    assert table[1][-1].strip()  # the paper's own number
    assert "±" in table[0][measured[0]] and "0-2" not in text and "1-2 seeds" in text
    assert "n=4" in header[measured[0]] and "n=0" not in psnr
    assert text.count("forward") == 1 + 3  # in the note and in the tables of metrics alone
    latex = (folder / "tables.tex").read_text()
    assert latex.count("forward & - & - & - &") == 2  # the paper has PSNR and SSIM
    page = (folder / "report.html").read_text()
    assert page.index("forward-0: failed: &lt;b&gt; is *nan*") < page.index("<table")
    assert '<td class="label">forward</td><td class="missing">-</td>' in page
    numbers = pd.read_csv(folder / "metrics.csv").query("method == 'forward'")
    assert len(numbers) == 9 and numbers["mean"].isna().all() and not numbers["n"].any()
    assert set(numbers["note"]) == {"no finished run"}


@pytest.mark.usefixtures("undrawn")
def test_a_missing_run_has_no_row_in_tables_of_other_settings(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, "full"), write_run(tmp_path, "full", **{"test pairs": "q"})]
    expected = [
        Expected(runs[0].name, "full", "photos"),
        Expected(runs[1].name, "full", "paris"),
        Expected("forward", "forward", "paris", "failed"),
    ]
    first, second = build.ablation(runs, tmp_path / "report", expected).split("## sample")[1:]
    assert "forward" not in first and "Missing: forward: failed" in second


@pytest.mark.usefixtures("undrawn")
def test_a_report_without_missing_runs_is_as_before(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, "full"), write_run(tmp_path, "forward")]
    expected = [Expected(run.name, run.method, "") for run in runs]
    told = build.ablation(runs, tmp_path / "report", expected)
    assert told == build.ablation(runs, tmp_path / "report")


def test_a_report_is_complete(report: Path) -> None:
    (ablation,), (comparison,) = (list((report / n).iterdir()) for n in ("ablation", "comparison"))
    for folder in (ablation, comparison):
        names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        plots = ["by-bucket", "by-ratio", "difference", "training"]
        assert names >= {
            "tables.md",
            "tables.tex",
            "metrics.csv",
            "differences.csv",
            "other-metrics.csv",
            "report.html",
            "figures/side-by-side.png",
            "figures/worst-of-full.png",
        }
        assert names >= {f"plots/{n}.{kind}" for n in plots for kind in ("png", "svg", "pdf")}
    assert (comparison / "plots" / "quality-cost.png").exists()
    assert not (ablation / "plots" / "quality-cost.png").exists()


def test_the_tables_name_what_they_stand_beside(report: Path) -> None:
    texts = {
        n: next((report / n).glob("*/tables.md")).read_text() for n in ("ablation", "comparison")
    }
    assert "Table 2" in texts["ablation"] and "Table 1" not in texts["ablation"]
    assert "Table 1" in texts["comparison"] and "telea" in texts["comparison"]
    assert "telea" not in texts["ablation"] and "forward" not in texts["comparison"]
    for text in texts.values():
        rows = [line for line in text.splitlines() if line.startswith("| ")]
        assert rows[1].startswith("| full")  # the reference on top
        assert "over 4 images and 1-2 seeds" in text
        assert "Quick preset" in text and "fingerprint full1" in text


def test_the_page_ends_with_where_the_numbers_come_from(report: Path) -> None:
    page = next((report / "comparison").glob("*/report.html")).read_text()
    assert page.index("Quick preset") < page.index("<table") < page.index("fingerprint full0")


def test_one_run_is_written_into_its_folder(tmp_path: Path) -> None:
    run = write_run(tmp_path, "forward")
    text = build.run_report(run)
    assert (run.path / "table.md").read_text() == text and "| forward" in text
    assert {"plot.png", "grid.png", "curves.png"} <= {p.name for p in run.path.iterdir()}
    assert build.places(run) == f"plot: {run.path / 'plot.png'}\npictures: {run.path / 'grid.png'}"
    shutil.rmtree(run.pictures.own)
    build.run_report(run)
    assert build.places(run) == f"plot: {run.path / 'plot.png'}"
