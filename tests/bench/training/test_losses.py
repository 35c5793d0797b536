"""Each term of the objective (equations 14 to 17) against a direct formula."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.training import losses
from bench.training.critic import TwoColumnCritic

pytestmark = pytest.mark.usefixtures("one_thread")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mask_of(batch: int, side: int, seed: int = 5) -> Tensor:
    return (draw(batch, 1, side, side, seed=seed) > 0.4).double()


# Pixel loss


@pytest.mark.parametrize("hole", [1.0, 6.0, 0.5])
def test_pixel_loss_is_the_weighted_mean_absolute_error(hole: float) -> None:
    output, image, mask = draw(2, 3, 4, 5), draw(2, 3, 4, 5, seed=1), mask_of(2, 5)[..., :4, :]
    expected = []
    for b, c, y, x in np.ndindex(2, 3, 4, 5):
        weight = 1.0 if mask[b, 0, y, x] else hole
        expected.append(weight * abs(float(output[b, c, y, x] - image[b, c, y, x])))
    found = losses.pixel_loss(output, image, mask, hole)
    assert found.item() == pytest.approx(np.mean(expected), rel=1e-9)


def test_pixel_loss_weighs_the_hole_and_not_the_known_part() -> None:
    image, mask = torch.zeros(1, 3, 2, 2), torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
    output = torch.zeros(1, 3, 2, 2)
    output[..., 1, 1] = 1
    assert losses.pixel_loss(output, image, mask, 6.0).item() == pytest.approx(6 / 4)
    output = 1 - output
    assert losses.pixel_loss(output, image, mask, 6.0).item() == pytest.approx(3 / 4)


# Perceptual and style loss


def layers(seed: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    shapes = [(2, 3, 4, 6), (2, 4, 2, 3), (2, 5, 1, 2)]
    return [draw(*s, seed=seed + i).to(dtype) - 0.5 for i, s in enumerate(shapes)]


@pytest.mark.parametrize(("distance", "power"), [("l2", 2), ("l1", 1)])
def test_perceptual_loss_is_the_mean_over_layers_of_the_mean_distance(
    distance: str, power: int
) -> None:
    features, targets = layers(0), layers(10)
    means = [
        np.mean([abs(a - b) ** power for a, b in zip(f.ravel(), t.ravel(), strict=True)])
        for f, t in zip((f.numpy() for f in features), (t.numpy() for t in targets), strict=True)
    ]
    found = losses.perceptual_loss(features, targets, distance)
    assert found.item() == pytest.approx(np.mean(means), rel=1e-6)


def test_perceptual_loss_squares_by_default() -> None:
    features, targets = [torch.full((1, 1, 1, 1), 3.0)], [torch.zeros(1, 1, 1, 1)]
    assert losses.perceptual_loss(features, targets).item() == 9.0


def gram_by_loops(features: Tensor) -> np.ndarray:
    batch, channels, height, width = features.shape
    values = features.double().numpy()
    result = np.zeros((batch, channels, channels))
    for b, i, j in np.ndindex(batch, channels, channels):
        for y, x in itertools.product(range(height), range(width)):
            result[b, i, j] += values[b, i, y, x] * values[b, j, y, x]
    return result / (channels * height * width)


def test_gram_is_the_product_of_channels_over_c_h_w() -> None:
    for features in layers(3):
        found = losses.gram(features)
        assert np.allclose(found.numpy(), gram_by_loops(features), atol=1e-6)


def test_gram_is_summed_in_single_precision_under_autocast() -> None:
    features = layers(0)[0].bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = losses.gram(features)
    assert found.dtype == torch.float32
    assert torch.equal(found, losses.gram(features))


def test_gram_forgets_where_things_are() -> None:
    features = layers(0)[0]
    moved = features.roll((1, 2), (2, 3)).transpose(2, 3)
    assert torch.allclose(losses.gram(features), losses.gram(moved), atol=1e-6)


def test_style_loss_is_the_l1_of_grams_over_c_squared() -> None:
    features, targets = layers(0), layers(10)
    per_layer = []
    for f, t in zip(features, targets, strict=True):
        difference = np.abs(gram_by_loops(f) - gram_by_loops(t)).sum((1, 2))
        per_layer.append(np.mean(difference / f.shape[1] ** 2))
    found = losses.style_loss(features, targets)
    assert found.item() == pytest.approx(np.mean(per_layer), rel=1e-5)


@pytest.mark.parametrize("loss", [losses.perceptual_loss, losses.style_loss])
def test_feature_losses_of_half_precision_are_summed_in_single(
    loss: Callable[[list[Tensor], list[Tensor]], Tensor],
) -> None:
    features, targets = layers(0, torch.bfloat16), layers(10, torch.bfloat16)
    found = loss(features, targets)
    assert found.dtype == torch.float32
    exact = loss([f.float() for f in features], [t.float() for t in targets])
    assert found.item() == pytest.approx(exact.item(), rel=1e-6)


@pytest.mark.parametrize("loss", [losses.perceptual_loss, losses.style_loss])
def test_feature_losses_refuse_another_number_of_layers(
    loss: Callable[[list[Tensor], list[Tensor]], Tensor],
) -> None:
    with pytest.raises(ValueError, match="zip"):
        loss(layers(0), layers(10)[:2])


# Adversarial loss


def test_critic_loss_falls_when_real_scores_rise_and_rises_with_fake_ones() -> None:
    real, fake = torch.tensor([0.2, 0.4]), torch.tensor([0.5, 0.9])
    assert losses.critic_loss(real, fake).item() == pytest.approx(0.7 - 0.3)
    assert losses.critic_loss(real + 0.1, fake).item() == pytest.approx(0.3)
    assert losses.critic_loss(real, fake + 0.1).item() == pytest.approx(0.5)


def test_adversarial_loss_falls_when_fake_scores_rise() -> None:
    assert losses.adversarial_loss(torch.tensor([0.5, 0.9])).item() == pytest.approx(-0.7)


# Gradient penalty


def test_penalty_is_that_of_the_norms() -> None:
    for scale in (0.01, 0.2, 1.0):
        slopes = draw(3, 3, 4, 4) * scale
        expected = np.mean([(np.linalg.norm(slopes[i].numpy()) - 1) ** 2 for i in range(3)])
        assert losses.slope_penalty(slopes).item() == pytest.approx(expected, rel=1e-6)


def test_points_are_the_mix_of_real_and_fake() -> None:
    real, fake, mix = draw(2, 3, 4, 4), draw(2, 3, 4, 4, seed=1), draw(2, 1, 1, 1)
    points = losses.between(real, fake, mix)
    for i in range(2):
        share = mix[i].item()
        assert torch.allclose(points[i], share * real[i] + (1 - share) * fake[i])


@pytest.mark.parametrize("end", ["sigmoid", "linear"])
def test_penalty_trains_the_critic_by_its_true_gradient(end: str) -> None:
    torch.manual_seed(0)
    critic = TwoColumnCritic(64, width=2, end=end).double()
    real, fake, mask = draw(4, 3, 64, 64), draw(4, 3, 64, 64, seed=1), mask_of(4, 64)
    points = losses.between(real, fake, draw(4, 1, 1, 1, seed=2))

    def penalty() -> Tensor:
        return losses.slope_penalty(critic.slopes(points, mask))

    penalty().backward()
    checked = 0
    for name, parameter in critic.named_parameters():
        if parameter.grad is None or parameter.grad.abs().max() < 1e-6:
            continue  # a bias before batch norm changes nothing, nor does that of a linear end
        place = int(parameter.grad.abs().argmax())
        expected = parameter.grad.flatten()[place].item()
        values = []
        for step in (1e-6, -1e-6):
            with torch.no_grad():
                parameter.view(-1)[place] += step
            values.append(penalty().item())
            with torch.no_grad():
                parameter.view(-1)[place] -= step
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(expected, rel=1e-3), name
        checked += 1
    assert checked >= 10
