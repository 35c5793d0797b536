from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.config import override
from bench.evaluation import records
from bench.presets import preset
from bench.registry import find
from bench.runs.experiment import Experiment, _without_path, evaluate_weights, load_run
from bench.training.common import CommonLearner

SMALL = {
    "size": 64, "resize": 88, "width": 4, "depth": 4, "critic_width": 4, "steps": 3,
    "batch_size": 2, "pairs": 1, "validation_pairs": 1, "device": "cpu",
}  # fmt: skip


def test_two_variants_see_the_same_batches_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[Tensor]] = {}
    step = CommonLearner.step
    name = ""

    def watched(self: CommonLearner, image: Tensor, mask: Tensor, number: int) -> dict[str, Tensor]:
        seen.setdefault(name, []).extend([image.clone(), mask.clone()])
        return step(self, image, mask, number)

    monkeypatch.setattr(CommonLearner, "step", watched)
    for name in ("forward", "no-gan"):
        Experiment(find(name), override(preset("quick"), SMALL), tmp_path / name).execute()
    assert len(seen["forward"]) == 6
    assert all(map(torch.equal, seen["forward"], seen["no-gan"]))
    assert not torch.equal(seen["forward"][0], seen["forward"][2])


def test_what_a_killed_redo_left_is_not_resumed(tmp_path: Path) -> None:
    config = override(preset("quick"), {**SMALL, "checkpoint_every": 1})
    first = Experiment(find("no-gan"), config, tmp_path)
    kept = first.execute().weights.read_bytes()
    # Killed while it cleared the folder: the state is gone first, the checkpoints are still there.
    (first.run.folder / "state.json").unlink()
    other = Experiment(find("no-gan"), override(config, {"lr": 0.1}), tmp_path)
    assert other.execute().weights.read_bytes() != kept


def test_where_data_lies_is_not_part_of_the_identity(tmp_path: Path) -> None:
    from tests.bench.test_cli import picture

    identities = []
    for place in ("here", "there"):
        for split in ("train", "val", "test"):
            picture(tmp_path / place / split / "a.png", 90, 100)
        config = override(preset("quick"), {**SMALL, "images": f"folder:{tmp_path / place}"})
        experiment = Experiment(find("full"), config, tmp_path / "runs" / place)
        from bench.data import inputs as assemble

        identities.append(experiment._identity(assemble.test_pairs(config, experiment.cache)))
    assert identities[0] == identities[1]


@pytest.mark.parametrize(
    ("option", "value", "kept"),
    [
        ("data.masks", "paper:/some/where", "paper"),
        ("data.test_images", "folder:/some/where", "folder"),
        ("data.images", "places365", "places365"),
        ("data.masks", "shapes,strokes", "shapes,strokes"),
        ("model.width", 16, 16),
    ],
)
def test_paths_are_left_out_of_the_identity(option: str, value: object, kept: object) -> None:
    assert _without_path(option, value) == kept


def test_a_run_trained_in_bf16_is_measured_in_single_precision(tmp_path: Path) -> None:
    # accelerate wraps a network's forward in autocast for good.
    config = override(preset("quick"), {**SMALL, "precision": "bf16"})
    run = Experiment(find("no-gan"), config, tmp_path).execute()
    method, loaded = load_run(run.folder)
    folder = evaluate_weights(method, loaded, run.weights, tmp_path, loaded)
    values = [records.read([f / "records.csv"])["value"] for f in (run.folder, folder)]
    assert values[0].equals(values[1])


def test_a_run_is_loaded_with_its_method_and_config(tmp_path: Path) -> None:
    config = override(preset("quick"), SMALL)
    run = Experiment(find("3x3"), config, tmp_path).execute()
    method, loaded = load_run(run.folder)
    assert (method.name, loaded) == ("3x3", config)
