"""Global&Local: published sizes, the training mean, the crop, and whose turn it is."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.global_local.learner import hole_error
from baselines.global_local.network import Completion, Discriminators
from bench.config import Model
from bench.networks.holes import composite
from bench.networks.initialisation import he, initialise
from bench.registry import find
from tests.baselines.conftest import MakeLearner, moved, weights
from tests.conftest import learns, lesson

Batch = tuple[Tensor, Tensor]
METHOD = "global-local"


def network(width: int = 4) -> Completion:
    built = Completion(Model(width))
    initialise(built, 0, he)
    return built


def test_parameters_are_those_published() -> None:
    with torch.device("meta"):
        built = find(METHOD).build(Model())
        judges = Discriminators(256)
    assert sum(p.numel() for p in built.parameters()) == 6_072_131
    assert find(METHOD).parameters(Model()) == 6_072_131
    assert sum(p.numel() for p in judges.parameters()) == 45_063_681
    small = Model(8)
    assert find(METHOD).parameters(small) == sum(
        p.numel() for p in find(METHOD).build(small).parameters()
    )


def naive(net: Completion, image: Tensor, mask: Tensor) -> Tensor:
    """The published table, layer by layer."""
    x = torch.cat([image * mask + net.mean[:, None, None] * (1 - mask), mask], 1)
    convs = [m for m in net.layers if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    norms = [m for m in net.layers if isinstance(m, nn.BatchNorm2d)]
    strides = {1: 2, 3: 2}
    dilations = {6: 2, 7: 4, 8: 8, 9: 16}
    for number, conv in enumerate(convs):
        if number in (12, 14):
            x = F.conv_transpose2d(x, conv.weight, conv.bias, stride=2, padding=1)
        else:
            side, rate = conv.weight.shape[-1], dilations.get(number, 1)
            x = F.conv2d(x, conv.weight, conv.bias, strides.get(number, 1), rate * (side // 2),
                         rate)  # fmt: skip
        if number < 16:
            norm = norms[number]
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()  # type: ignore[operator]
            x = F.relu(x * scale[:, None, None] + norm.bias[:, None, None])
    assert len(convs) == 17 and len(norms) == 16
    return x.sigmoid()


def test_network_is_the_published_table(batch: Batch) -> None:
    image, mask = batch
    net = network().eval()
    net.mean.copy_(torch.tensor([0.1, 0.5, 0.8]))
    assert torch.allclose(net(image, mask), naive(net, image, mask), atol=1e-5)


def test_what_lies_in_the_hole_is_not_seen_and_any_size_is_filled(batch: Batch) -> None:
    image, mask = batch
    net = network().eval()
    noise = torch.rand_like(image)
    assert torch.equal(net(composite(noise, image, mask), mask), net(image, mask))
    assert net(image[..., :50, :37], mask[..., :50, :37]).shape == (2, 3, 50, 37)


def test_the_training_mean_is_that_of_the_images_seen_and_is_saved() -> None:
    net = network()
    images = torch.rand(3, 4, 3, 8, 8)
    for part in images:
        net.see(part.mean((0, 2, 3)), 4)
    assert torch.allclose(net.mean, images.mean((0, 1, 3, 4)), atol=1e-6)
    other = network()
    other.load_state_dict(net.state_dict())
    assert torch.equal(other.mean, net.mean)


def test_one_discriminator_sees_the_square_the_other_all() -> None:
    judges = Discriminators(64, 4).eval()
    initialise(judges, 0, he)
    image, mask = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    mask[..., 2:6, 2:6] = 0  # its square is the top left quarter
    far = image.clone()
    far[..., 40:, 40:] = 0
    for part, side in ((judges.local, 32), (judges.whole, 64)):
        crops = [x[..., :side, :side] for x in (image, far)]
        same = torch.equal(part(crops[0]), part(crops[1]))
        assert same == (side == 32)
    joined = torch.cat([judges.local(image[..., :32, :32]), judges.whole(image)], 1)
    assert torch.equal(judges(image, mask), judges.last(joined)[:, 0])


def test_hole_error_is_the_mean_over_the_holes_pixels(batch: Batch) -> None:
    image, mask = batch
    output = torch.rand_like(image)
    hole = mask.expand_as(image) == 0
    expected = ((output - image)[hole] ** 2).mean()
    assert torch.allclose(hole_error(output, image, mask), expected)
    assert hole_error(output, image, torch.ones_like(mask)) == 0


@pytest.mark.parametrize(
    ("number", "generator_moves", "judges_move"),
    [(0, True, False), (17, True, False), (18, False, True), (19, False, True), (20, True, True),
     (99, True, True)],
)  # fmt: skip
def test_each_phase_trains_whose_turn_it_is(
    learner: MakeLearner, batch: Batch, number: int, generator_moves: bool, judges_move: bool
) -> None:
    taught = learner(METHOD, steps=100)
    before = weights(taught.completion), weights(taught.discriminators)
    mean = taught.completion.mean.clone()
    terms = taught.step(*lesson(*batch), number)
    assert bool(moved(before[0], taught.completion)) == generator_moves
    assert bool(moved(before[1], taught.discriminators)) == judges_move
    assert set(terms) <= set(taught.terms)
    assert ("hole" in terms, "discriminator" in terms) == (generator_moves, judges_move)
    assert ("adversarial" in terms) == (generator_moves and judges_move)
    assert torch.equal(taught.completion.mean, mean) == (number >= 18)


def test_the_generator_is_pulled_towards_real_by_little(learner: MakeLearner, batch: Batch) -> None:
    taught = learner(METHOD)
    image, mask = batch
    terms = taught.step(*lesson(image, mask), 50)
    total = terms["hole"] + 4e-4 * terms["adversarial"]
    assert torch.allclose(terms["total"], total)
    assert terms["discriminator"].item() == pytest.approx(2 * 0.693, rel=0.2)  # no idea yet


def test_discriminators_learn_to_tell_and_the_generator_gives_them_no_gradient(
    learner: MakeLearner, batch: Batch
) -> None:
    taught = learner(METHOD)
    taught.step(*lesson(*batch), 18)
    assert all(p.grad is None for p in taught.completion.parameters())
    assert learns(lambda _: taught.step(*lesson(*batch), 18)["discriminator"], 1 / 2, most=200)


def test_it_learns(learner: MakeLearner, batch: Batch) -> None:
    taught = learner(METHOD)
    assert learns(lambda _: taught.step(*lesson(*batch), 0)["hole"], 1 / 2, most=60)
