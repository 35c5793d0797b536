"""The critic against the paper's Table 3."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.training.critic import TwoColumnCritic

pytestmark = pytest.mark.usefixtures("one_thread")


def pair(size: int, batch: int = 2) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(0)
    mask = torch.ones(batch, 1, size, size)
    mask[..., size // 4 : size // 2, size // 8 : size // 2] = 0
    return torch.rand(batch, 3, size, size, generator=stream), mask


def last_layer(critic: TwoColumnCritic) -> nn.Conv2d:
    (last,) = (m for m in critic.modules() if isinstance(m, nn.Conv2d) and m.out_channels == 1)
    return last


def test_size_is_the_papers() -> None:
    with torch.device("meta"):
        critic = TwoColumnCritic(256, 64)
    assert sum(p.numel() for p in critic.parameters()) == 22_316_417


@pytest.mark.parametrize(("size", "side"), [(64, 1), (128, 2), (256, 4)])
def test_last_kernel_covers_what_six_strides_leave(size: int, side: int) -> None:
    critic = TwoColumnCritic(size, width=4)
    assert last_layer(critic).weight.shape == (1, 2 * 8 * 4, side, side)
    scores = critic(*pair(size, batch=3))
    assert scores.shape == (3,)
    assert scores.isfinite().all()


def test_each_column_looks_at_its_own_part() -> None:
    torch.manual_seed(0)
    critic = TwoColumnCritic(64, width=4, end="linear").eval()
    image, mask = pair(64)
    other = 1 - image
    last = last_layer(critic).weight
    columns = last.shape[1] // 2
    original = last.detach().clone()
    moved: dict[str, list[bool]] = {}
    for name, silent in (("known", slice(columns, None)), ("hole", slice(columns))):
        with torch.no_grad():
            last.copy_(original)
            last[:, silent] = 0
            scores = critic(image, mask)
            moved[name] = [
                not torch.equal(critic(changed, mask), scores)
                for changed in (
                    torch.where(mask > 0.5, other, image),
                    torch.where(mask > 0.5, image, other),
                )
            ]
    # [known pixels changed, hole pixels changed]
    assert moved == {"known": [True, False], "hole": [False, True]}


def test_columns_share_no_weights() -> None:
    torch.manual_seed(0)
    critic = TwoColumnCritic(64, width=4, end="linear").eval()
    image, mask = pair(64)
    # Both columns see the same picture, once as the known part, once as the hole.
    with torch.no_grad():
        last_layer(critic).weight.fill_(1.0)
        whole = critic(image, torch.ones_like(mask))
        empty = critic(image, torch.zeros_like(mask))
    assert (whole - empty).abs().min() > 1e-4


def test_sigmoid_end_is_the_sigmoid_of_the_linear_one() -> None:
    torch.manual_seed(0)
    sigmoid, linear = TwoColumnCritic(64, 4, "sigmoid"), TwoColumnCritic(64, 4, "linear")
    linear.load_state_dict(sigmoid.state_dict())
    with torch.no_grad():
        assert torch.allclose(sigmoid(*pair(64)), torch.sigmoid(linear(*pair(64))))


def test_only_the_linear_end_is_unbounded() -> None:
    for bias in (-50.0, 50.0):
        scores = {}
        for end in ("sigmoid", "linear"):
            critic = TwoColumnCritic(64, 4, end)
            nn.init.constant_(last_layer(critic).bias, bias)  # type: ignore[arg-type]
            scores[end] = critic(*pair(64))
        assert scores["sigmoid"].min() >= 0
        assert scores["sigmoid"].max() <= 1
        assert scores["linear"].abs().min() > 10


def test_end_is_the_papers_sigmoid_by_default() -> None:
    critic = TwoColumnCritic(64, 4)
    nn.init.constant_(last_layer(critic).bias, 50.0)  # type: ignore[arg-type]
    assert critic(*pair(64)).max() <= 1


def test_all_layers_but_the_first_are_normalised() -> None:
    critic = TwoColumnCritic(64, width=4)
    norms = [m.num_features for m in critic.modules() if isinstance(m, nn.BatchNorm2d)]
    assert sum(norms) == 2 * (8 + 16 + 32 + 32 + 32)


def by_table_3(critic: TwoColumnCritic, image: Tensor, mask: Tensor) -> Tensor:
    """The linear score in training mode, written from Table 3."""
    convs = [m for m in critic.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in critic.modules() if isinstance(m, nn.BatchNorm2d)]
    assert (len(convs), len(norms)) == (13, 10)
    ends = []
    for column, part in enumerate([image * mask, image * (1 - mask)]):
        x = part
        for layer in range(6):
            conv = convs[6 * column + layer]
            x = F.conv2d(x, conv.weight, conv.bias, stride=2, padding=1)
            if layer > 0:
                norm = norms[5 * column + layer - 1]
                x = F.batch_norm(x, None, None, norm.weight, norm.bias, training=True)
            x = F.leaky_relu(x, 0.2)
        ends.append(x)
    return F.conv2d(torch.cat(ends, 1), convs[12].weight, convs[12].bias).flatten()


def test_score_is_that_of_table_3() -> None:
    torch.manual_seed(0)
    critic = TwoColumnCritic(128, width=4, end="linear").double()
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.add_(torch.rand_like(parameter) * 0.1)
        image, mask = (x.double() for x in pair(128, batch=3))
        expected = by_table_3(critic, image, mask)
        assert torch.allclose(critic(image, mask), expected, rtol=0, atol=1e-9)
    assert expected.std() > 1e-3


@pytest.mark.parametrize("end", ["sigmoid", "linear"])
def test_slopes_are_the_gradient_of_the_scores(end: str) -> None:
    torch.manual_seed(0)
    critic = TwoColumnCritic(64, width=4, end=end).double()
    image, mask = (x.double() for x in pair(64, batch=3))
    image.requires_grad_()
    (expected,) = torch.autograd.grad(critic(image, mask).sum(), image)
    torch.testing.assert_close(critic.slopes(image, mask), expected)


@pytest.mark.parametrize("end", ["sigmoid", "linear"])
def test_scores_are_told_apart_near_one_in_bf16_too(end: str) -> None:
    torch.manual_seed(0)
    critic = TwoColumnCritic(64, width=4, end=end)
    with torch.no_grad():
        last_layer(critic).bias.fill_(4.0)
    with torch.autocast("cpu", torch.bfloat16):
        scores = critic(*pair(64, batch=3))
        assert critic.slopes(*pair(64, batch=3)).dtype == torch.float32
    assert scores.dtype == torch.float32
    assert end == "linear" or len(set(scores.tolist())) == 3  # bf16 has steps of 0.004 there
