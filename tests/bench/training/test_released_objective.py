"""The objective `released` against the released code's formulas, written out here term by term."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bench.config import override
from bench.core.errors import UserError
from bench.networks.vgg_features import MEAN, STD
from bench.presets import preset, with_objective
from bench.training.common import CommonLearner
from tests.bench.training.test_common import batch, learner, tiny

pytestmark = pytest.mark.usefixtures("one_thread")


def taught() -> CommonLearner:
    return learner(with_objective(tiny(), "released"))


def pooled(layers: nn.Sequential, image: Tensor) -> list[Tensor]:
    """VGG's three pooled features of colours as they are, in [0,1]."""
    first = layers[:5](image)
    second = layers[5:10](first)
    return [first, second, layers[10:17](second)]


def gram(features: Tensor) -> Tensor:
    b, c, h, w = features.shape
    flat = features.reshape(b, c, h * w)
    return torch.bmm(flat, flat.transpose(1, 2)) / (c * h * w)


@pytest.mark.parametrize("seed", [0, 1])
def test_each_term_is_that_of_the_released_code(seed: int) -> None:
    stream = torch.Generator().manual_seed(seed)
    image, output = torch.rand(2, 2, 3, 64, 64, generator=stream)
    mask = (torch.rand(2, 1, 64, 64, generator=stream) > 0.3).float()
    trained = taught()
    with torch.no_grad():
        terms = trained.feature_terms(image, output, mask)
        pasted = mask * image + (1 - mask) * output
        of_image, of_output, of_pasted = (
            pooled(trained.features.layers, x) for x in (image, output, pasted)
        )
    l1 = nn.functional.l1_loss
    perceptual = style = 0.0
    for true, *found in zip(of_image, of_output, of_pasted, strict=True):
        for other in found:
            perceptual += l1(other, true).item()
            style += l1(gram(other), gram(true)).item()
    assert terms["perceptual"].item() == pytest.approx(perceptual, rel=1e-5)
    assert terms["style"].item() == pytest.approx(style, rel=1e-5)

    holes = 6 * l1((1 - mask) * output, (1 - mask) * image)
    known = l1(mask * output, mask * image)
    trained.critic = None  # the released code's sign error is not offered, so its term stays out
    found_terms = trained.step_generator(image, output.requires_grad_(), mask)
    assert found_terms["pixel"].item() == pytest.approx((holes + known).item(), rel=1e-5)
    total = holes + known + 0.01 * perceptual + 120 * style
    assert found_terms["total"].item() == pytest.approx(total.item(), rel=1e-5)


def test_a_paper_objective_normalises_and_averages() -> None:
    image, _ = batch()
    trained = learner(tiny())
    mean, std = (torch.tensor(x)[:, None, None] for x in (MEAN, STD))
    with torch.no_grad():
        expected = pooled(trained.features.layers, (image - mean) / std)
        assert all(map(torch.allclose, trained.features(image), expected))
        terms = trained.feature_terms(image, image / 2, torch.ones_like(image[:, :1]))
        halved = trained.features(image / 2)
    squares = [(a - b).square().mean().item() for a, b in zip(halved, expected, strict=True)]
    assert terms["perceptual"].item() == pytest.approx(sum(squares) / 3, rel=1e-5)


@pytest.mark.parametrize("name", ["quick", "paper"])
def test_every_number_is_in_the_config_and_the_features_are_the_presets(name: str) -> None:
    start = preset(name)
    objective = with_objective(start, "released").objective
    assert (objective.pixel, objective.hole, objective.adversarial) == (1.0, 6.0, 0.1)
    assert (objective.perceptual, objective.style) == (0.01, 120.0)
    assert (objective.perceptual_distance, objective.over_layers) == ("l1", "sum")
    assert (objective.features_of, objective.normalise) == ("raw+composite", False)
    assert (objective.gradient_penalty, objective.critic_end) == (10.0, "sigmoid")
    assert objective.features == start.objective.features
    assert with_objective(start, "paper") == start
    changed = override(with_objective(start, "released"), {"hole": 3.0})
    assert (changed.objective.hole, changed.objective.perceptual) == (3.0, 0.01)


def test_an_unknown_objective_is_refused() -> None:
    with pytest.raises(UserError, match="unknown objective 'relased'; did you mean released"):
        with_objective(preset("quick"), "relased")
