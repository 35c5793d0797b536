import math

import numpy as np
import pytest
import torch
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.transform import resize
from torch import Tensor

from bench.config import Evaluation
from bench.evaluation.evaluator import load, measure
from bench.evaluation.metrics.l1 import l1_percent
from bench.evaluation.metrics.metric import all_metrics
from bench.evaluation.metrics.pixelwise import quantise
from bench.evaluation.metrics.psnr import psnr
from bench.evaluation.metrics.ssim import ssim

SETTINGS = Evaluation(lpips="off")
SIZES = [(96, 96), (65, 83), (11, 40)]
PHOTOGRAPHS = [data.astronaut, data.chelsea, data.coffee, data.rocket]


def photograph(number: int, size: tuple[int, int]) -> np.ndarray:
    """[H,W,3] in 0..255."""
    picture = PHOTOGRAPHS[number % len(PHOTOGRAPHS)]()
    return np.asarray(resize(picture, size, anti_aliasing=True, preserve_range=True)).round()


def noisy(picture: np.ndarray, level: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, level, picture.shape)
    return (picture + noise).clip(0, 255).round()


def batch(pictures: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()


def pairs(count: int, size: tuple[int, int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Photographs and versions of them, the noise growing along the batch."""
    targets = [photograph(k, size) for k in range(count)]
    return [noisy(t, 2.0 * 3**k, k) for k, t in enumerate(targets)], targets


def measured(raw: Tensor, image: Tensor, mask: Tensor) -> dict[tuple[str, str], Tensor]:
    """All metrics but LPIPS, [B] each, by metric and region."""
    wanted = [m for m in all_metrics() if m.wanted(SETTINGS) and m.name != "lpips"]
    found = measure([load(m, SETTINGS, raw.device) for m in wanted], raw, image, mask)
    return {(m.metric.name, region): torch.tensor(v, dtype=torch.float64) for m, region, v in found}


@pytest.fixture
def masked() -> tuple[Tensor, Tensor, Tensor]:
    """Raw output and image in [0,1], and a mask, for a batch of three."""
    stream = np.random.default_rng(8)
    _, targets = pairs(3, (64, 48))
    raw = torch.from_numpy(stream.uniform(-0.1, 1.1, (3, 3, 64, 48))).float()
    mask = torch.ones(3, 1, 64, 48)
    for k in range(3):
        mask[k, :, 5 : 30 + 5 * k, 10:40] = 0
    return raw, batch(targets) / 255, mask


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [1, 3, 5])
def test_psnr_equals_scikit_image(count: int, size: tuple[int, int]) -> None:
    outputs, targets = pairs(count, size)
    expected = [
        peak_signal_noise_ratio(t, o, data_range=255) for o, t in zip(outputs, targets, strict=True)
    ]
    found = psnr(batch(outputs), batch(targets))
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [1, 3, 5])
def test_ssim_equals_scikit_image(count: int, size: tuple[int, int]) -> None:
    outputs, targets = pairs(count, size)
    expected = [
        structural_similarity(
            t,
            o,
            data_range=255,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for o, t in zip(outputs, targets, strict=True)
    ]
    found = ssim(batch(outputs), batch(targets))
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("level", [0, 255])
def test_ssim_of_flat_images_equals_scikit_image(level: int) -> None:
    # Variances near 0 at a large mean: where float32 cancels worst.
    target = np.full((32, 32, 3), float(level))
    output = noisy(target, 1.0, 0)
    expected = structural_similarity(
        target,
        output,
        data_range=255,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    found = ssim(batch([output]), batch([target])).item()
    assert found == pytest.approx(expected, abs=1e-5)


def test_ssim_of_an_image_with_itself_is_one() -> None:
    target = batch([photograph(0, (40, 40))])
    assert ssim(target, target).item() == pytest.approx(1, abs=1e-6)


def test_ssim_refuses_images_below_its_window() -> None:
    small = torch.zeros(1, 3, 10, 40)
    with pytest.raises(ValueError, match="at least 11"):
        ssim(small, small)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_l1_equals_numpy(count: int) -> None:
    outputs, targets = pairs(count, (65, 83))
    expected = [
        100 * np.abs(o / 255 - t / 255).mean() for o, t in zip(outputs, targets, strict=True)
    ]
    found = l1_percent(batch(outputs), batch(targets))
    assert found.tolist() == pytest.approx(expected, rel=1e-9)


def test_hole_values_look_at_hole_pixels_alone(masked: tuple[Tensor, Tensor, Tensor]) -> None:
    raw, image, mask = masked
    found = measured(raw, image, mask)
    for k in range(3):
        hole = mask[k, 0].numpy() == 0
        output = (raw[k].clamp(0, 1) * 255).round().numpy()[:, hole].astype(np.float64)
        truth = (image[k] * 255).round().numpy()[:, hole].astype(np.float64)
        psnr = 10 * np.log10(255**2 / ((output - truth) ** 2).mean())
        assert found["psnr", "hole"][k].item() == pytest.approx(psnr, abs=1e-6)
        l1 = 100 * np.abs(output - truth).mean() / 255
        assert found["l1_percent", "hole"][k].item() == pytest.approx(l1, rel=1e-9)


def test_composite_and_raw_values_equal_direct_ones(masked: tuple[Tensor, Tensor, Tensor]) -> None:
    raw, image, mask = masked
    found = measured(raw, image, mask)
    assert {key for key in found if key[1] == "raw"} == {
        ("psnr", "raw"),
        ("ssim", "raw"),
        ("l1_percent", "raw"),
    }
    truth = (image * 255).round().double()
    output = (raw.clamp(0, 1) * 255).round().double()
    for region, picture in (("raw", output), ("composite", mask * truth + (1 - mask) * output)):
        for k in range(3):
            t, o = (x[k].permute(1, 2, 0).numpy() for x in (truth, picture))
            psnr = peak_signal_noise_ratio(t, o, data_range=255)
            assert found["psnr", region][k].item() == pytest.approx(psnr, abs=1e-6)
            l1 = 100 * np.abs(o - t).mean() / 255
            assert found["l1_percent", region][k].item() == pytest.approx(l1, rel=1e-9)
            ssim = structural_similarity(
                t,
                o,
                data_range=255,
                channel_axis=-1,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            assert found["ssim", region][k].item() == pytest.approx(ssim, abs=1e-5)


def test_output_in_the_known_part_changes_raw_values_alone(
    masked: tuple[Tensor, Tensor, Tensor],
) -> None:
    raw, image, mask = masked
    garbage = torch.where(mask > 0.5, 1e6 * (raw.flip(-1) - 0.5), raw)
    clean, soiled = measured(raw, image, mask), measured(garbage, image, mask)
    for (metric, region), values in clean.items():
        same = torch.equal(values, soiled[metric, region])
        assert same == (region != "raw"), (metric, region)


def test_perfect_image_has_infinite_psnr_and_the_others_stay_finite() -> None:
    outputs, targets = pairs(3, (40, 40))
    outputs[1] = targets[1]
    found = psnr(batch(outputs), batch(targets))
    assert found[1].item() == math.inf
    assert torch.isfinite(found[[0, 2]]).all()


def test_values_are_per_image_and_not_of_the_pooled_batch() -> None:
    outputs, targets = pairs(4, (48, 48))
    together = psnr(batch(outputs), batch(targets))
    alone = [psnr(batch([o]), batch([t])).item() for o, t in zip(outputs, targets, strict=True)]
    assert together.tolist() == pytest.approx(alone, abs=1e-9)
    pooled = 10 * math.log10(255**2 / np.mean((np.stack(outputs) - np.stack(targets)) ** 2))
    # The pooled number is ruled by the worst image.
    assert together.mean().item() - pooled > 3


def test_quantise_rounds_as_a_picture_file_would() -> None:
    values = torch.tensor([-0.5, 0.0, 0.4, 0.6, 127.4, 127.6, 254.4, 254.6, 255.0, 300.0]) / 255
    assert quantise(values).tolist() == [0, 0, 0, 1, 127, 128, 254, 255, 255, 255]


def test_quantise_keeps_every_8_bit_level() -> None:
    levels = torch.arange(256)
    assert torch.equal(quantise(levels / 255), levels.float())


def test_outputs_are_rounded_before_they_are_measured() -> None:
    # Off by 0.3 of a level everywhere: no picture file could show it.
    image = batch([photograph(0, (32, 32)).clip(1, 254)]) / 255
    mask = torch.zeros(1, 1, 32, 32)
    found = measured(image + 0.3 / 255, image, mask)
    assert found["psnr", "raw"].item() == math.inf
    assert found["l1_percent", "composite"].item() == 0
