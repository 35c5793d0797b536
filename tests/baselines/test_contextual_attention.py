"""Contextual attention against loops; each sample by itself; never a NaN; the objective."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from baselines.contextual_attention.attention import contextual_attention
from baselines.contextual_attention.network import Critics, TwoStages
from baselines.contextual_attention.table import Stages
from bench.config import Model
from bench.networks.holes import composite
from bench.networks.initialisation import he, initialise
from bench.networks.layer_table import count
from bench.registry import find
from bench.training import losses
from tests.baselines.conftest import MakeLearner, moved, weights
from tests.conftest import learns, lesson

Batch = tuple[Tensor, Tensor]
METHOD = "contextual-attention"


def network(width: int = 8) -> TwoStages:
    built = TwoStages(Model(width))
    initialise(built, 0, he)
    return built


def slow(features: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """One image's attention [C,H,W] by its definition: loops over places and patches."""
    channels, height, width = features.shape
    h, w = height // 2, width // 2
    half = features[:, ::2, ::2]
    hole = np.array([[(mask[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] == 0).any() for j in range(w)]
                     for i in range(h)])  # fmt: skip
    places = [(i, j) for i in range(h) for j in range(w)]

    def patch(i: int, j: int) -> np.ndarray:
        padded = np.zeros((channels, h + 2, w + 2))
        padded[:, 1:-1, 1:-1] = half
        return padded[:, i : i + 3, j : j + 3]

    def known(i: int, j: int) -> bool:
        return not hole[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2].any()

    valid = [k for k, place in enumerate(places) if known(*place)]
    if not valid:
        return features
    score = np.zeros((len(places), len(places)))
    for b, source in enumerate(places):
        kernel = patch(*source)
        kernel = kernel / max(np.sqrt((kernel**2).sum()), 1e-4)
        for f, target in enumerate(places):
            score[b, f] = (kernel * patch(*target)).sum()
    by_rows = {place: k for k, place in enumerate(places)}
    by_columns = {place: j * h + i for place, (i, j) in zip(places, places, strict=True)}
    for order in (by_rows, by_columns):
        back = {k: place for place, k in order.items()}
        fused = np.zeros_like(score)
        for source in places:
            for target in places:
                total = 0.0
                for step in (-1, 0, 1):
                    b, f = order[source] + step, order[target] + step
                    if b in back and f in back:
                        total += score[by_rows[back[b]], by_rows[back[f]]]
                fused[by_rows[source], by_rows[target]] = total
        score = fused
    output = np.zeros((channels, height + 2, width + 2))
    padded = np.zeros_like(output)
    padded[:, 1:-1, 1:-1] = features
    for f, (i, j) in enumerate(places):
        weight = np.exp(10 * (score[valid, f] - score[valid, f].max()))
        weight /= weight.sum()
        for share, b in zip(weight, valid, strict=True):
            y, x = places[b]
            output[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += (
                share * padded[:, 2 * y : 2 * y + 4, 2 * x : 2 * x + 4] / 4
            )
    return output[:, 1:-1, 1:-1]


def features(count: int = 1, height: int = 12, width: int = 16) -> Tensor:
    stream = torch.Generator().manual_seed(3)
    # Small values: a softmax that has one winner only would hide the other weights.
    return 0.1 * torch.randn(count, 3, height, width, generator=stream)


def holes(height: int = 12, width: int = 16) -> dict[str, Tensor]:
    """Masks [1,1,H,W] of many kinds."""
    ones = torch.ones(1, 1, height, width)
    box, huge, grid, pixel = (ones.clone() for _ in range(4))
    box[..., 2:5, 3:9] = 0
    huge[..., 1:, 1:] = 0
    grid[..., ::4, :] = grid[..., :, ::4] = 0  # thin, and in every patch
    pixel[..., 7, 7] = 0
    return {"box": box, "huge": huge, "grid": grid, "pixel": pixel, "none": ones, "all": 0 * ones}


@pytest.mark.parametrize("kind", ["box", "pixel", "none", "grid"])
def test_attention_is_its_definition(kind: str) -> None:
    x, mask = features(), holes()[kind]
    expected = slow(x[0].double().numpy(), mask[0, 0].numpy())
    assert np.allclose(contextual_attention(x, mask)[0], expected, atol=1e-5)


def test_a_sample_does_not_depend_on_the_others() -> None:
    masks = holes()
    x = features(len(masks))
    together = contextual_attention(x, torch.cat(list(masks.values())))
    for k, mask in enumerate(masks.values()):
        # Other batch sizes sum in another order, and a softmax of ten times the cosines magnifies
        # that; an answer that looked at another sample would differ by some tenths.
        assert torch.allclose(together[k], contextual_attention(x[k : k + 1], mask)[0], atol=1e-4)
    net = network().eval()
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(2, 1, 32, 32)
    mask[0, :, 4:9, 4:20] = 0
    mask[1, :, 10:30, 2:12] = 0
    both = net(image, mask)
    for k in range(2):
        alone = net(image[k : k + 1], mask[k : k + 1])[0]
        assert torch.allclose(both[k], alone, atol=1e-4)


@pytest.mark.parametrize("kind", ["huge", "grid", "all"])
def test_without_a_valid_patch_the_features_stay(kind: str) -> None:
    x = features()
    assert torch.equal(contextual_attention(x, holes()[kind]), x)


@pytest.mark.parametrize("kind", list(holes()))
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_values_and_gradients_are_never_nan(kind: str, scale: float) -> None:
    x = (scale * features()).requires_grad_()
    output = contextual_attention(x, holes()[kind])
    output.square().sum().backward()
    assert output.isfinite().all()
    assert x.grad is not None and not x.grad.isnan().any()


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99, 1.0])
def test_network_gives_numbers_with_thin_and_with_huge_holes(share: float) -> None:
    stream = torch.Generator().manual_seed(0)
    thin = (torch.rand(2, 1, 64, 64, generator=stream) >= share).float()
    huge = torch.ones(2, 1, 64, 64)
    huge[..., : round(64 * share), :] = 0
    net, image = network(), torch.rand(2, 3, 64, 64)
    for mask in (thin, huge):
        output = net(image, mask)
        output.mean().backward()
        assert output.isfinite().all() and output.min() >= 0 and output.max() <= 1
        assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_it_copies_what_it_finds() -> None:
    """Two equal textures, the hole in one: what is pasted there comes from the other."""
    stream = torch.Generator().manual_seed(1)
    tile = torch.randn(1, 8, 16, 8, generator=stream)
    x = torch.cat([tile, tile], 3)
    mask = torch.ones(1, 1, 16, 16)
    mask[..., 4:12, 2:6] = 0
    found = contextual_attention(4 * x, mask)
    centre = (slice(None), slice(None), slice(6, 10), slice(3, 5))
    assert (found[centre] - 4 * x[centre]).abs().mean() < 0.2 * (4 * x[centre]).abs().mean()


def test_parameters_are_those_published() -> None:
    with torch.device("meta"):
        built = find(METHOD).build(Model())
    assert sum(p.numel() for p in built.parameters()) == 3_601_542
    assert sum(p.numel() for p in built.coarse.parameters()) == 1_448_227
    assert find(METHOD).parameters(Model()) == 3_601_542
    assert count(Stages(32).coarse) == 1_448_227
    small = find(METHOD).build(Model(8))
    assert find(METHOD).parameters(Model(8)) == sum(p.numel() for p in small.parameters())


def test_what_lies_in_the_hole_is_not_seen_and_any_size_is_filled(batch: Batch) -> None:
    image, mask = batch
    net = network().eval()
    noise = torch.rand_like(image)
    assert torch.equal(net(composite(noise, image, mask), mask), net(image, mask))
    assert net(image[..., :50, :37], mask[..., :50, :37]).shape == (2, 3, 50, 37)


def test_refinement_starts_from_the_known_pixels_and_the_coarse_hole(batch: Batch) -> None:
    image, mask = batch
    net = network().eval()
    seen: list[Tensor] = []
    net.convolution.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    coarse, _ = net.both(image, mask)
    pasted = composite(coarse, image, mask)
    assert torch.allclose((seen[0][:, :3] + 1) / 2, pasted, atol=1e-6)
    assert torch.equal(seen[0][:, 3:], torch.cat([torch.ones_like(mask), 1 - mask], 1))


def test_critics_look_at_all_and_at_the_square_around_the_hole() -> None:
    critics = Critics(64, 4)
    image, mask = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    mask[..., 2:6, 2:6] = 0
    far = image.clone()
    far[..., 40:, 40:] = 0
    before, after = critics(image, mask), critics(far, mask)
    assert before.shape == (2, 1)
    assert before[0] != after[0] and before[1] == after[1]


def test_a_batch_without_any_hole_has_an_error_of_0_there(
    learner: MakeLearner, batch: Batch
) -> None:
    image, mask = batch
    terms = learner(METHOD).step(*lesson(image, torch.ones_like(mask)), 0)
    assert terms["hole"] == 0 < terms["known"]
    assert all(value.isfinite() for value in terms.values())


def test_five_critic_steps_a_generator_step(learner: MakeLearner, batch: Batch) -> None:
    taught = learner(METHOD)
    counts = {"critics": 0, "generator": 0}

    def counted(name: str, optimizer: torch.optim.Optimizer) -> None:
        step = optimizer.step

        def wrapper(*args: object, **kwargs: object) -> None:
            counts[name] += 1
            step(*args, **kwargs)  # type: ignore[arg-type]

        optimizer.step = wrapper  # type: ignore[method-assign, assignment]

    counted("critics", taught.critics_optimizer)
    counted("generator", taught.optimizer)
    before = weights(taught.generator), weights(taught.critics)
    terms = taught.step(*lesson(*batch), 0)
    assert counts == {"critics": 5, "generator": 1}
    assert list(terms) == list(taught.terms)
    assert moved(before[0], taught.generator) and moved(before[1], taught.critics)


def test_terms_are_those_of_the_paper(learner: MakeLearner, batch: Batch) -> None:
    taught = learner(METHOD, lr=1e-30)  # still: the terms can be computed again
    image, mask = batch
    terms = taught.step(*lesson(image, mask), 0)
    with torch.no_grad():
        coarse, fine = (2 * x - 1 for x in taught.generator(image, mask))
        image = 2 * image - 1  # the published objective is about images in [-1, 1]
        filled = composite(fine, image, mask)
        real, fake = taught.critics(image, mask), taught.critics(filled, mask)
    hole, known = (mask.expand_as(image) == value for value in (0, 1))
    error = [(x - image).abs() for x in (coarse, fine)]
    expected = {
        "hole": 1.2 * error[0][hole].mean() + error[1][hole].mean(),
        "known": 1.2 * error[0][known].mean() + error[1][known].mean(),
        "adversarial": -fake.mean(1).sum(),
        "critic": (fake - real).mean(1).sum(),
    }
    for name, value in expected.items():
        assert torch.allclose(terms[name], value, atol=1e-6), name
    total = 1.2 * (terms["hole"] + terms["known"]) + 0.001 * terms["adversarial"]
    assert torch.allclose(terms["total"], total)


def test_penalty_is_that_of_both_critics_in_the_hole() -> None:
    critics = Critics(64, 4).double()
    stream = torch.Generator().manual_seed(0)
    real, fake = torch.rand(2, 2, 3, 64, 64, generator=stream, dtype=torch.float64)
    mask = torch.ones(2, 1, 64, 64, dtype=torch.float64)
    mask[..., 30:40, 30:40] = 0
    mix = torch.full((2, 1, 1, 1), 0.25, dtype=torch.float64)
    points = losses.between(real, fake, mix)
    assert torch.allclose(points, 0.25 * real + 0.75 * fake)
    for number, slopes in enumerate(critics.slopes(points, mask)):
        penalty = losses.slope_penalty(slopes)
        expected = 0.0
        for k in range(2):
            slope = torch.autograd.functional.jacobian(
                lambda x, k=k, number=number: critics(x[None], mask[k : k + 1])[number, 0],
                points[k].detach(),
            )
            inside = slope[:, mask[k, 0] == 0]  # the gradient in the hole alone
            expected += (math.sqrt((inside**2).sum().item()) - 1) ** 2 / 2
        assert penalty.item() == pytest.approx(expected, rel=1e-4)


def test_a_rate_that_it_does_not_bear_is_lowered_and_said(
    learner: MakeLearner, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        rates = [learner(METHOD, lr=lr).optimizer.param_groups[0]["lr"] for lr in (1e-4, 3e-3)]
    assert rates == [1e-4, 3e-4]
    assert [r.message for r in caplog.records] == [
        "contextual attention trains at the rate 0.0003, not 0.003: it has no norms"
    ]


def test_it_learns(learner: MakeLearner, batch: Batch) -> None:
    taught = learner(METHOD)
    assert learns(lambda number: taught.step(*lesson(*batch), number)["hole"], 0.85, most=100)
