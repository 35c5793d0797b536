from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch_fidelity import calculate_metrics, register_feature_extractor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

from bench.config import Evaluation
from bench.core.errors import MissingWeightsError
from bench.data import pairs as manifest
from bench.data.images.source import list_folder
from bench.data.masks.family import GeneratedMasks
from bench.data.pairs import FrozenPairs
from bench.data.photos import load_photos
from bench.evaluation.album import save_picture
from bench.evaluation.distances import formulas, inception, measure
from bench.evaluation.distances.measure import Distances
from bench.evaluation.distances.table import ALL, COLUMNS
from bench.evaluation.evaluator import Evaluator
from bench.networks.holes import composite
from tests.bench.evaluation.distances.stub import Stub, let_few_suffice, stub_for_inception

CPU = torch.device("cpu")
AUTO = Evaluation(lpips="off", eval_batch=2)
COLUMNS_OF_ALL = {"family": "baseline", "method": "grey", "seed": 0}


@pytest.fixture
def pairs(tmp_path: Path) -> FrozenPairs:
    """Three pairs of 32 pixels in each bucket; all buckets have the same three crops."""
    folder, stream = tmp_path / "album", np.random.default_rng(2)
    folder.mkdir()
    for name in ("a.png", "b.png"):
        pixels = stream.integers(0, 256, (34, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    photos = load_photos(list_folder(folder), 34, 32, tmp_path / "cache")
    masks = GeneratedMasks(("boxes",))
    return FrozenPairs(manifest.make(photos, masks, 32, 34, 3, 0, "test"), photos, masks)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    return stub_for_inception(monkeypatch)


@pytest.fixture
def few_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    let_few_suffice(monkeypatch)


class Grey(nn.Module):
    """The colour 102.94 of 255 everywhere: a file holds 103."""

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return torch.full_like(image, 0.4037)


def measured(pairs: FrozenPairs, settings: Evaluation = AUTO) -> pd.DataFrame:
    distances = Distances(pairs, settings, CPU)
    filled = distances.gather()
    Evaluator(pairs, settings, CPU).records(Grey(), "grey", {}, filled=filled)
    return distances.rows(filled, COLUMNS_OF_ALL)


@pytest.mark.usefixtures("few_suffice")
def test_composites_with_8_bits_are_compared_with_the_true_images(
    pairs: FrozenPairs, stub: Stub
) -> None:
    found = measured(pairs)
    assert set(COLUMNS) == set(found) and (found["reason"] == "").all()
    image, mask = pairs.batch(range(len(pairs)))
    composites = torch.where(mask == 1, image, 103)
    assert torch.equal(stub.images[: len(pairs)], composites)
    true, filled = Stub()(image), Stub()(composites)
    values = found.set_index(["bucket", "metric"])["value"]
    everything = formulas.fid(true, filled) | formulas.kid(true, filled, size=3)
    everything |= formulas.discriminative_scores(true, filled)
    assert values[ALL].to_dict() == pytest.approx(everything)
    first = pairs.manifest.pairs[0].bucket
    assert values[first]["fid"] == pytest.approx(formulas.fid(true[:3], filled[:3])["fid"])
    assert found.set_index("bucket")["n"].to_dict() == dict.fromkeys(found["bucket"], 3) | {ALL: 12}


@pytest.mark.usefixtures("few_suffice", "stub")
def test_numbers_are_those_of_torch_fidelity_on_saved_pictures(
    pairs: FrozenPairs, tmp_path: Path
) -> None:
    class Extractor(FeatureExtractorBase):  # type: ignore[misc]
        def __init__(self, name: str, features: list[str], **_: object) -> None:
            super().__init__(name, features)

        @staticmethod
        def get_provided_features_list() -> tuple[str]:
            return ("2048",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return "2048"

        def forward(self, images: Tensor) -> tuple[Tensor]:
            return (Stub()(images),)

    register_feature_extractor("stub", Extractor)
    for number in range(len(pairs)):
        image, mask = (x[0].float() for x in pairs.batch([number]))
        filled = composite(Grey()(image, mask), image / 255, mask)
        for name, picture in (("true", image / 255), ("filled", filled)):
            (tmp_path / name).mkdir(exist_ok=True)
            save_picture(tmp_path / name / f"{number:05d}.png", picture)
    expected = calculate_metrics(
        input1=str(tmp_path / "true"),
        input2=str(tmp_path / "filled"),
        feature_extractor="stub",
        **dict.fromkeys(("fid", "kid"), True),
        **dict.fromkeys(("cuda", "cache", "verbose"), False),
        kid_subset_size=3,
        save_cpu_ram=True,  # no processes to read the pictures
    )
    found = measured(pairs).set_index(["bucket", "metric"])["value"][ALL]
    assert found["fid"] == pytest.approx(expected["frechet_inception_distance"], rel=1e-5)
    assert found["kid"] == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-5)


@pytest.mark.usefixtures("few_suffice")
def test_each_true_crop_is_looked_at_once(pairs: FrozenPairs, stub: Stub) -> None:
    distances = Distances(pairs, AUTO, CPU)
    for _ in range(2):  # two methods
        filled = distances.gather()
        Evaluator(pairs, AUTO, CPU).records(Grey(), "grey", {}, filled=filled)
        distances.rows(filled, COLUMNS_OF_ALL)
    assert len(stub.images) == 2 * len(pairs) + 3


def test_too_few_images_are_counted_as_different_and_load_nothing(
    pairs: FrozenPairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inception, "load", lambda *_: 1 / 0)
    found = measured(pairs).set_index(["bucket", "metric"])
    assert found["value"].isna().all()
    # Four buckets share three crops.
    assert found["reason"][ALL].tolist() == [
        f"3 of {least} different images" for least in ("2,048", "1,000", "4,096", "4,096")
    ]


def test_a_bucket_may_have_too_few_where_all_have_enough(
    pairs: FrozenPairs, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "LEAST", measure.LEAST | {"fid": 3})
    found = measured(pairs).set_index(["bucket", "metric"])
    assert found["value"].notna().sum() == 5  # FID of four buckets and of all
    assert found["reason"][ALL]["kid"] == "3 of 1,000 different images"


@pytest.mark.usefixtures("few_suffice")
def test_missing_weights_are_a_reason_or_an_error(
    pairs: FrozenPairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise MissingWeightsError("no weights here")

    monkeypatch.setattr(inception, "load", missing)
    found = measured(pairs)
    assert found["value"].isna().all() and set(found["reason"]) == {"no weights here"}
    assert Distances(pairs, AUTO, CPU).digest == ""
    with pytest.raises(MissingWeightsError, match="--distances on: no weights here"):
        Distances(pairs, Evaluation(distances="on"), CPU)


@pytest.mark.usefixtures("few_suffice")
def test_off_measures_nothing_and_says_so(pairs: FrozenPairs, stub: Stub) -> None:
    found = measured(pairs, Evaluation(lpips="off", distances="off"))
    assert not stub.seen and found["value"].isna().all()
    assert set(found["reason"]) == {"switched off by --distances off"}
