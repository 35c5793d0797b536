"""Tables across data sets: what is joined, what the sets are called, and what the cells say."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.core.files import read_json, write_json
from bench.core.run_folder import RunFolder
from bench.runs.run import Run
from reports import datasets
from reports.analysis.summary import summarise
from reports.measured import records_of
from reports.tables.datasets import by_dataset
from tests.reports.test_build import BUCKETS, write_run


def evaluated(root: Path, method: str, seed: int = 0, pairs: str = "q", **asked: object) -> Run:
    """The evaluation of a run of that method and seed on other test pairs."""
    given = {"test pairs": pairs, "weights": f"{method}{seed}", **asked}
    run = Run(write_run(root, method, seed, **given).path)
    identity = run.read_identity()
    for part in datasets.PARTS[1:]:
        identity.pop(part, None)
    write_json(run.identity, identity)
    images(run, "folder:/data/Other photos")
    return run


def images(run: RunFolder, source: str, masks: str = "") -> None:
    """Change where the test pairs of a run come from."""
    config = read_json(run.config)
    config["data"]["test_images"] = source
    write_json(run.config, config)
    if masks:
        families = {"(0.1, 0.2]": {"files" if masks == "files" else masks: 4}}
        manifest = {"size": 64, "mask_source": masks, "mask_families": families}
        write_json(run.manifest, {**manifest, "pairs": [{}] * 8})


@pytest.fixture
def runs(tmp_path: Path) -> list[RunFolder]:
    own = [write_run(tmp_path, "full"), write_run(tmp_path, "full", 1)]
    own += [write_run(tmp_path, "forward"), write_run(tmp_path, "telea", trained=False)]
    others = [evaluated(tmp_path, "full"), evaluated(tmp_path, "full", 1)]
    return [*(Run(run.path) for run in own), *others]


def test_a_row_has_the_numbers_of_one_training_on_all_data_sets(runs: list[RunFolder]) -> None:
    (joined,) = datasets.across(runs)
    assert list(joined.names.values()) == ["sample", "Other-photos"]
    over_all, by_bucket = joined.tables[:2]
    assert over_all.title == "PSNR, dB (higher is better), composite, by data set"
    assert over_all.header == ["method", "seeds", "sample n=8", "Other-photos n=8"]
    cells = {row[0].text: [cell.text for cell in row[1:]] for row in over_all.rows}
    assert list(cells) == ["full", "forward", "telea"]
    assert cells["full"][0] == "2" and cells["forward"][::2] == ["1", "not run"]
    assert by_bucket.header == ["data set", "method", "seeds", *BUCKETS, "all", "pairs"]
    rows = [[cell.text for cell in row] for row in by_bucket.rows]
    assert [row[:2] for row in rows] == [
        *(["sample", name] for name in ("full", "forward", "telea")), ["Other-photos", "full"]
    ]  # fmt: skip
    assert rows[3][2] == "2" and rows[3][-2:] == [cells["full"][2], "8"]
    data = by_bucket.data.set_index(["method", "dataset", "bucket"])
    row = data.loc[("full", "Other-photos", "all")]
    printed = f"{row['mean']:.2f} ± {row['half_width']:.2f}"
    assert printed == cells["full"][2] and (row["n"], row["images"], row["seeds"]) == (8, 4, 2)
    assert row["manifest"] == "q" and row["metric"] == "psnr"


def test_the_numbers_are_those_of_each_data_set_alone(runs: list[RunFolder]) -> None:
    (joined,) = datasets.across(runs)
    found = joined.tables[1].data
    alone = summarise(records_of(runs[-2:]))
    both = found[found["dataset"] == "Other-photos"].merge(
        alone, on=["method", "metric", "region", "bucket"], suffixes=("", "_alone")
    )
    assert len(both) == 3 and both["mean"].equals(both["mean_alone"])
    assert both["half_width"].equals(both["half"])


@pytest.mark.parametrize(
    "other", [{"training.lr": 9.0}, {"evaluation.compile": "on"}, {"training images": "others"}]
)
def test_other_trainings_and_measurements_are_not_joined(
    tmp_path: Path, other: dict[str, object]
) -> None:
    own = Run(write_run(tmp_path, "full", **{"evaluation.compile": "off"}).path)
    assert datasets.across([own, evaluated(tmp_path, "full", **other)]) == []
    same = {"evaluation.compile": "off"}
    assert len(datasets.across([own, evaluated(tmp_path, "full", **same)])) == 1


def test_a_sweep_over_data_sets_has_a_training_in_each_column(tmp_path: Path) -> None:
    runs: list[RunFolder] = [
        write_run(tmp_path / name, "full", **{"training images": name, "test pairs": name})
        for name in ("p", "q")
    ]
    runs.append(write_run(tmp_path / "p", "telea", trained=False))
    (joined,) = datasets.across(runs)
    assert joined.rows == "each trained on its own data set"
    assert [row[0].text for row in joined.tables[0].rows] == ["full", "telea"]
    assert joined.tables[0].title.endswith("composite, each trained on its own data set")


def test_two_trainings_for_one_column_are_not_joined(tmp_path: Path) -> None:
    on = [("p", "p"), ("q", "q"), ("r", "q")]
    runs = [
        write_run(tmp_path / images, "full", **{"training images": images, "test pairs": pairs})
        for images, pairs in on
    ]
    assert datasets.across(runs) == []


def test_one_data_set_needs_no_table(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, "full"), write_run(tmp_path, "forward")]
    assert datasets.across(runs) == [] and datasets.write([], tmp_path / "out") == ""
    assert not (tmp_path / "out").exists()


def test_names_tell_data_sets_apart(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / pairs, "full", **{"test pairs": pairs}) for pairs in "pqrs"]
    for run, masks in zip(runs, ("files", "strokes", "strokes", ""), strict=True):
        images(run, "folder:/a/b" if masks else "bsds500", masks)
    config = read_json(runs[0].config)
    write_json(
        runs[0].config, config | {"data": config["data"] | {"test_masks": "masks:/c/my masks"}}
    )
    assert list(datasets.names_of(runs).values()) == [
        "b, masks my-masks", "b, masks strokes, q", "b, masks strokes, r", "bsds500"
    ]  # fmt: skip


def test_a_bucket_that_a_data_set_lacks_is_empty_there(runs: list[RunFolder]) -> None:
    (joined,) = datasets.across(runs)
    summary = datasets.summary_of(records_of(joined.runs), joined.names)
    lacking = (summary["dataset"] == "Other-photos") & (summary["bucket"] == BUCKETS[0])
    table = by_dataset(summary[~lacking], "by data set")[1]
    assert [cell.text for cell in table.rows[3]][3] == "-"
    assert table.rows[3][4].text == joined.tables[1].rows[3][4].text


def test_the_files_have_all_numbers(runs: list[RunFolder], tmp_path: Path) -> None:
    joined = datasets.across(runs)
    text = datasets.write(joined, tmp_path / "out")
    assert text.startswith(
        "## Data sets side by side, by data set: sample; Other-photos\n\nQuick preset"
    )
    assert text == (tmp_path / "out" / "datasets.md").read_text(encoding="utf-8")
    assert "- Other-photos: test pairs q." in text
    numbers = pd.read_csv(tmp_path / "out" / "datasets.csv")
    assert set(numbers["metric"]) == {"psnr", "ssim"} and numbers["n"].dtype == int
    assert len(numbers) == 2 * (3 + 1) * 3  # metrics, methods on each data set, buckets
    assert "by data set and bucket" in (tmp_path / "out" / "datasets.tex").read_text("utf-8")


def test_a_page_has_the_tables_in_which_its_runs_stand(runs: list[RunFolder]) -> None:
    joined = datasets.across(runs)
    assert datasets.tables_with(runs[:2], joined) == joined[0].tables
    assert datasets.tables_with([*runs[:2], RunFolder(Path("stranger"))], joined) == []
