import math
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from bench.config import Evaluation
from bench.core.run_folder import PairPictures
from bench.data import pairs as manifest
from bench.data.images.source import list_folder
from bench.data.masks.family import GeneratedMasks
from bench.data.photos import load_photos
from bench.evaluation import records
from bench.evaluation.album import Album, PictureWriter, save_picture
from bench.evaluation.evaluator import Evaluator, Measure, measure
from bench.evaluation.fill import fill
from bench.evaluation.metrics import lpips, metric
from bench.evaluation.metrics.metric import all_metrics, find
from bench.evaluation.picture import fill_picture
from bench.evaluation.validation import mean_psnr

LEVEL = 0.4013  # 102.33 of 255: a picture file holds 102
CPU = torch.device("cpu")
OFF = Evaluation(lpips="off")
IDENTITY: dict[str, str | int] = {
    "family": "variant",
    "method": "constant",
    "seed": 4,
    "fingerprint": "f00d",
}
MEASURED = {
    *((metric, region) for metric in ("psnr", "l1_percent") for region in ("composite", "raw")),
    *(("ssim", region) for region in ("composite", "raw")),
    ("psnr", "hole"),
    ("l1_percent", "hole"),
    ("legacy_psnr_mse", "composite"),
    ("legacy_ssim", "composite"),
}


@pytest.fixture
def pairs(tmp_path: Path) -> manifest.FrozenPairs:
    """Three pairs in each of four buckets, 64 pixels, from two tiny noise photographs."""
    folder = tmp_path / "album"
    folder.mkdir()
    stream = np.random.default_rng(2)
    for name in ("a.png", "b.png"):
        pixels = stream.integers(0, 256, (66, 72, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    photos = load_photos(list_folder(folder), 66, 64, tmp_path / "cache")
    masks = GeneratedMasks(("boxes",))
    return manifest.FrozenPairs(manifest.make(photos, masks, 64, 66, 3, 0, "test"), photos, masks)


class Constant(nn.Module):
    """One colour everywhere; notes how it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, bool, bool]] = []

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        self.calls.append((len(image), self.training, torch.is_grad_enabled()))
        assert image.shape[1:] == (3, 64, 64)
        assert image.aminmax().min >= 0
        assert image.aminmax().max <= 1
        assert set(mask.unique().tolist()) == {0, 1}
        return torch.full_like(image, LEVEL)


class Oracle(nn.Module):
    """Returns the truth, pair after pair, whatever it is shown."""

    def __init__(self, pairs: manifest.FrozenPairs) -> None:
        super().__init__()
        self.pairs, self.next = pairs, 0

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        indices = range(self.next, self.next + len(image))
        self.next = indices.stop
        return self.pairs.batch(indices)[0].float() / 255


def test_one_row_per_pair_metric_and_region(pairs: manifest.FrozenPairs) -> None:
    found = Evaluator(pairs, OFF, CPU).records(Constant(), "constant", IDENTITY)
    assert set(records.COLUMNS) <= set(found)
    keys = Counter(zip(found["pair"], found["metric"], found["region"], strict=True))
    expected = MEASURED | {("lpips", "composite"), ("lpips", "raw")}
    assert set(keys) == {(pair, *key) for pair in range(12) for key in expected}
    assert set(keys.values()) == {1}


def test_rows_say_what_was_measured(pairs: manifest.FrozenPairs) -> None:
    found = Evaluator(pairs, OFF, CPU).records(Constant(), "constant", IDENTITY)
    for name, value in IDENTITY.items():
        assert (found[name] == value).all()
    assert (found["manifest"] == pairs.manifest.hash).all()
    versions = found["metric"].map(lambda name: find(name).version)
    assert (found["metric_version"] == versions).all()
    assert (found["seconds"] > 0).all()
    for index, rows in found.groupby("pair"):
        pair = asdict(pairs.manifest.pairs[int(str(index))])
        assert rows[list(pair)].drop_duplicates().to_dict("records") == [pair]


def test_values_are_those_of_the_metrics_and_not_of_the_batch(pairs: manifest.FrozenPairs) -> None:
    frames = [
        Evaluator(pairs, Evaluation(lpips="off", eval_batch=size), CPU).records(
            Constant(), "constant", IDENTITY
        )
        for size in (1, 5, 12)
    ]
    assert all(np.allclose(f["value"], frames[0]["value"], equal_nan=True) for f in frames)
    for index in range(len(pairs)):
        image, mask = (x.float() for x in pairs.batch([index]))
        everything = Evaluator(pairs, OFF, CPU).measures
        measures = [ready for ready in everything if ready.metric.name != "lpips"]
        expected = measure(measures, torch.full_like(image, LEVEL), image / 255, mask)
        rows = frames[1][frames[1]["pair"] == index]
        for chosen, region, (value,) in expected:
            row = rows[(rows["metric"] == chosen.metric.name) & (rows["region"] == region)]
            assert row["value"].item() == pytest.approx(value, abs=1e-9)


def test_network_is_called_for_inference(pairs: manifest.FrozenPairs) -> None:
    network = Constant().train()
    Evaluator(pairs, Evaluation(lpips="off", eval_batch=5), CPU).records(network, "x", IDENTITY)
    assert network.calls == [(5, False, False), (5, False, False), (2, False, False)]


def test_perfect_network_has_infinite_psnr(pairs: manifest.FrozenPairs) -> None:
    found = Evaluator(pairs, OFF, CPU).records(Oracle(pairs), "oracle", IDENTITY)
    value = {metric: set(rows["value"]) for metric, rows in found.groupby("metric")}
    assert value["psnr"] == {math.inf}
    assert value["l1_percent"] == {0.0}
    assert min(value["ssim"]) == pytest.approx(1, abs=1e-6)


def test_missing_lpips_is_empty_with_the_reason(
    pairs: manifest.FrozenPairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    settings = Evaluation(lpips="alex", download=False)
    found = Evaluator(pairs, settings, CPU).records(Constant(), "constant", IDENTITY)
    lpips = found["metric"] == "lpips_alex"
    assert lpips.sum() == 2 * len(pairs)
    assert found.loc[lpips, "value"].isna().all()
    assert found.loc[lpips, "note"].str.contains("no ImageNet weights of AlexNet").all()
    assert (found.loc[~lpips, "note"] == "").all()
    assert found.loc[~lpips, "value"].notna().all()


def test_lpips_looks_at_rounded_composite_and_raw_output(
    pairs: manifest.FrozenPairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    class MeanAbsolute(nn.Module):
        def forward(self, output: Tensor, target: Tensor) -> Tensor:
            return (output - target).abs().mean((1, 2, 3), keepdim=True)

    monkeypatch.setattr(lpips, "build", lambda *args: MeanAbsolute())
    found = Evaluator(pairs, Evaluation(lpips="vgg"), CPU).records(Constant(), "x", IDENTITY)
    assert (found["note"] == "").all()
    wide = found.pivot(index=["pair", "region"], columns="metric", values="value")
    wide = wide[["lpips_vgg", "l1_percent"]].dropna()
    # In [-1,1] an absolute difference is twice that in [0,1], which `l1_percent` gives in percent.
    assert len(wide) == 2 * len(pairs)
    assert np.allclose(wide["lpips_vgg"], wide["l1_percent"] / 50, rtol=1e-5)


def test_outputs_of_the_chosen_pairs_are_saved(pairs: manifest.FrozenPairs, tmp_path: Path) -> None:
    evaluator, pictures = Evaluator(pairs, OFF, CPU), PairPictures(tmp_path / "p", tmp_path / "s")
    with PictureWriter() as writer:
        album = Album(pictures, frozenset({4, 7}), writer)
        evaluator.records(Constant(), "constant", IDENTITY, album)
    assert [p.name for p in sorted(tmp_path.rglob("*.webp"))] == [
        "00004_output.webp", "00007_output.webp"
    ]  # fmt: skip
    image, mask = (x[0].permute(1, 2, 0).numpy() for x in pairs.batch([4]))
    saved = np.asarray(Image.open(pictures.file(4, "output")))
    assert np.array_equal(saved, np.where(mask == 1, image, 102))


def test_an_album_is_drawn_again_from_the_batches_that_hold_its_pairs(
    pairs: manifest.FrozenPairs, tmp_path: Path
) -> None:
    evaluator = Evaluator(pairs, Evaluation(lpips="off", eval_batch=3), CPU)
    for draw in (False, True):
        network = Constant()
        pictures = PairPictures(tmp_path / str(draw), tmp_path)
        with PictureWriter() as writer:
            album = Album(pictures, frozenset({1, 7}), writer)
            if draw:
                evaluator.draw(network, "x", album)
            else:
                evaluator.records(network, "x", IDENTITY, album)
        assert len(network.calls) == (2 if draw else 4)
    for name in ("00001_output.webp", "00007_output.webp"):
        assert (tmp_path / "True" / name).read_bytes() == (tmp_path / "False" / name).read_bytes()


def test_maps_of_the_first_pair_of_each_bucket_are_saved_at_full_scale(
    pairs: manifest.FrozenPairs, tmp_path: Path
) -> None:
    seen = []

    def views(network: nn.Module, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        seen.append((image, mask))
        return {"mask encoder 1": 0.5 * mask[:, 0], "nothing": 0 * mask[:, 0]}

    pictures = PairPictures(tmp_path / "p", tmp_path)
    with PictureWriter() as writer:
        album = Album(pictures, frozenset(range(len(pairs))), writer, views)
        Evaluator(pairs, OFF, CPU).records(Constant(), "c", IDENTITY, album)
    files = sorted(pictures.own.glob("*_mask-encoder-1.webp"))
    first = pairs.manifest.first_of_buckets
    assert [int(f.name[:5]) for f in files] == first == [0, 3, 6, 9]
    image, mask = (x.float() for x in pairs.batch(first))
    for k, file in enumerate(files):
        assert torch.equal(seen[k][0][0], image[k] / 255 * mask[k])
        assert np.array_equal(np.asarray(Image.open(file))[..., 0], 255 * mask[k, 0].numpy())
    assert not np.asarray(Image.open(pictures.file(0, "nothing"))).any()


def test_no_pictures_unless_asked(pairs: manifest.FrozenPairs, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    Evaluator(pairs, OFF, CPU).records(Constant(), "constant", IDENTITY)
    assert set(tmp_path.rglob("*")) == before


def test_records_survive_a_file(pairs: manifest.FrozenPairs, tmp_path: Path) -> None:
    found = Evaluator(pairs, OFF, CPU).records(Oracle(pairs), "oracle", IDENTITY)
    records.write(tmp_path / "records.csv", found)
    read = records.read([tmp_path / "records.csv"]).astype(dict.fromkeys(records.TEXTS, str))
    pd.testing.assert_frame_equal(read, found[list(records.COLUMNS)], check_dtype=False)


def test_saved_picture_is_the_rounded_image(tmp_path: Path) -> None:
    image = torch.tensor([-0.2, 0.0, 0.6 / 255, 0.5, 1.0, 1.3]).expand(3, 2, 6)
    save_picture(tmp_path / "sub" / "p.png", image)
    assert np.asarray(Image.open(tmp_path / "sub" / "p.png"))[0, :, 0].tolist() == [
        0, 0, 1, 128, 255, 255
    ]  # fmt: skip


@pytest.mark.parametrize("training", [True, False])
def test_mean_psnr_is_that_of_the_composite_and_restores_the_mode(
    pairs: manifest.FrozenPairs, training: bool
) -> None:
    network = Constant().train(training)
    found = mean_psnr(network, pairs, CPU, batch=5)
    rows = Evaluator(pairs, OFF, CPU).records(Constant(), "constant", IDENTITY)
    composite = rows[(rows["metric"] == "psnr") & (rows["region"] == "composite")]
    assert found == pytest.approx(composite["value"].mean(), abs=1e-9)
    assert network.training is training
    assert not any(was_training for _, was_training, _ in network.calls)


class Strides(nn.Module):
    """Notes the distance of channels in memory."""

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        self.seen = image.stride(1), mask.stride(1)
        return image


def test_networks_get_images_and_masks_in_the_layout_of_their_weights() -> None:
    network = Strides()
    fill(network, torch.rand(2, 3, 8, 8), torch.ones(2, 1, 8, 8))
    assert network.seen == (1, 1)


class Echo(nn.Module):
    """Returns its input, and notes the brightest pixel that it saw in a hole."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0.0

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        self.seen = max(self.seen, float((image * (1 - mask)).max()))
        return image


def test_an_echo_is_no_better_in_validation_than_in_the_evaluation(
    pairs: manifest.FrozenPairs, tmp_path: Path
) -> None:
    """A network that returns what it is shown has black holes, whoever runs it."""
    echo = Echo()
    with PictureWriter() as writer:
        pictures = PairPictures(tmp_path / "p", tmp_path)
        album = Album(pictures, frozenset({0}), writer, lambda n, i, m: {"x": n(i, m)[:, 0]})
        rows = Evaluator(pairs, OFF, CPU).records(echo, "echo", IDENTITY, album)
    measured = rows[(rows["metric"] == "psnr") & (rows["region"] == "composite")]["value"].mean()
    assert mean_psnr(echo, pairs, CPU, batch=5) == pytest.approx(measured, abs=1e-9)
    assert measured < 15
    image, mask = (x[:1].float() for x in pairs.batch([0]))
    filled = fill_picture(echo, image / 255, mask, CPU)
    assert float((filled * (1 - mask)).max()) == 0
    assert echo.seen == 0


def test_metrics_convolve_in_full_float32_and_repeat_to_the_bit() -> None:
    """TF32 has 10 bits: SSIM's variances, differences of large squares, would be noise on a GPU."""
    seen = []

    def noted(output: Tensor, target: Tensor, hole: Tensor | None = None) -> Tensor:
        seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic))
        return torch.zeros(len(output))

    measure(
        [Measure(find("ssim"), noted, "")], *(torch.ones(1, 3, 4, 4),) * 2, torch.ones(1, 1, 4, 4)
    )
    assert seen == [(False, True)] * 2
    assert torch.backends.cudnn.allow_tf32 and not torch.backends.cudnn.deterministic


def test_a_metric_of_ones_own_is_measured(
    pairs: manifest.FrozenPairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_metrics()  # those of the package are there before the copy is made
    for table in ("_items", "_modules"):
        monkeypatch.setattr(metric.REGISTRY, table, dict(getattr(metric.REGISTRY, table)))

    @metric.metric("brightness", label="brightness", higher_is_better=True, input_range=(0.0, 1.0))
    def brightness(output: Tensor, target: Tensor, hole: Tensor | None = None) -> Tensor:
        return output.double().mean((1, 2, 3))

    rows = Evaluator(pairs, OFF, CPU).records(Constant(), "constant", IDENTITY)
    own = rows[(rows["metric"] == "brightness") & (rows["region"] == "raw")]
    assert own["value"].to_numpy() == pytest.approx(102 / 255)
