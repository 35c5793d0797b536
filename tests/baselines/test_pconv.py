"""PConv against loops and formulas: the layer, the network, the objective, the fine-tuning."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from baselines.pconv.learner import FINE_TUNING, total_variation
from baselines.pconv.network import PartialConv, PConvUNet
from baselines.pconv.objective import RANDOM_FEATURES, weights
from bench.config import Model, override
from bench.core.errors import UserError
from bench.networks.holes import composite
from bench.networks.initialisation import he, initialise
from bench.networks.layer_table import Conv
from bench.presets import preset
from bench.registry import TrainedNetwork, find
from tests.baselines import conftest
from tests.baselines.conftest import MakeLearner, moved
from tests.conftest import learns, lesson

Batch = tuple[Tensor, Tensor]


def network(width: int = 4, depth: int = 4) -> PConvUNet:
    model = Model(width, depth)
    built = PConvUNet(model)
    initialise(built, 0, he)
    return built


def loop(layer: PartialConv, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The layer's definition, window by window, element by element."""
    rows, kernel, stride = layer.layer, layer.layer.kernel, layer.layer.stride
    pad = kernel // 2
    weight = layer.conv.weight.detach()
    height, width = ((side + 2 * pad - kernel) // stride + 1 for side in x.shape[-2:])
    output = torch.zeros(len(x), rows.outputs, height, width, dtype=x.dtype)
    updated = torch.zeros_like(output)
    for b, o, i, j in np.ndindex(*output.shape):
        total, known = 0.0, 0.0
        for c, di, dj in np.ndindex(rows.inputs, kernel, kernel):
            y, z = i * stride - pad + di, j * stride - pad + dj
            if 0 <= y < x.shape[2] and 0 <= z < x.shape[3] and mask[b, c, y, z]:
                total += float(weight[o, c, di, dj] * x[b, c, y, z])
                known += 1
        if known:
            output[b, o, i, j] = total * rows.inputs * kernel**2 / (known + 1e-8)
            output[b, o, i, j] += 0 if layer.bias is None else float(layer.bias[o])
            updated[b, o, i, j] = 1
    return output, updated


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 2), (7, 2)])
@pytest.mark.parametrize("known", [0.05, 0.5])
def test_layer_is_its_definition(kernel: int, stride: int, bias: bool, known: float) -> None:
    stream = torch.Generator().manual_seed(kernel)
    layer = PartialConv(Conv(kernel, 3, 2, stride, bias=bias)).double()
    for parameter in layer.parameters():
        parameter.data = torch.randn(parameter.shape, generator=stream, dtype=torch.float64)
    x = torch.randn(2, 3, 9, 8, generator=stream, dtype=torch.float64)
    mask = (torch.rand(2, 3, 9, 8, generator=stream) < known).double()
    found, expected = layer(x, mask), loop(layer, x, mask)
    assert torch.allclose(found[0], expected[0], rtol=1e-12, atol=1e-11)
    assert torch.equal(found[1], expected[1])


def test_known_everywhere_it_is_a_convolution_but_for_the_padding() -> None:
    layer = PartialConv(Conv(3, 2, 4, bias=False))
    x = torch.randn(1, 2, 8, 8)
    output, mask = layer(x, torch.ones_like(x))
    plain = F.conv2d(x, layer.conv.weight, padding=1)
    assert torch.allclose(output[..., 1:-1, 1:-1], plain[..., 1:-1, 1:-1], atol=1e-6)
    # A corner's window holds 4 pixels of 9: zero padding counts as hole.
    assert torch.allclose(output[..., 0, 0], plain[..., 0, 0] * 9 / 4, atol=1e-6)
    assert mask.all()


def test_counts_are_exact_in_half_precision() -> None:
    layer = PartialConv(Conv(3, 512, 1, bias=False))
    layer.conv.weight.data.fill_(1.0)
    mask = torch.zeros(1, 512, 3, 3)
    mask[:, :301, 1, 1] = 1  # bf16 has no 301
    output, _ = layer.bfloat16()(torch.ones_like(mask).bfloat16(), mask.bfloat16())
    assert output[0, 0, 1, 1].item() == pytest.approx(512 * 9, rel=0.01)


def test_parameters_are_those_published() -> None:
    with torch.device("meta"):
        built = find("pconv").build(Model())
    assert sum(p.numel() for p in built.parameters()) == 25_779_796
    for name in ("pconv", "pconv-common"):
        for model in (Model(), Model(8, 5)):
            with torch.device("meta"):
                count = sum(p.numel() for p in find(name).build(model).parameters())
            assert find(name).parameters(model) == count


def naive(net: PConvUNet, image: Tensor, mask: Tensor) -> Tensor:
    """The U-Net by its published table: full mask channels, convolved with full filters of ones."""

    def partial(layer: PartialConv, x: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
        row, weight = layer.layer, layer.conv.weight
        s = F.conv2d(m, torch.ones_like(weight), stride=row.stride, padding=row.kernel // 2)
        known = (s > 0).double()
        ratio = row.inputs * row.kernel**2 / s.clamp_min(1)
        y = F.conv2d(x * m, weight, stride=row.stride, padding=row.kernel // 2) * ratio * known
        bias = 0 if layer.bias is None else layer.bias[:, None, None]
        return (y + bias) * known, known

    states = [(image, mask.expand(-1, 3, -1, -1))]
    for level, layer in enumerate(net.encoder):
        y, m = partial(layer, *states[-1])  # type: ignore[arg-type]
        states.append((F.relu(net.encoder_norms[level](y)), m))
    x, m = states.pop()
    for level, layer in enumerate(net.decoder):
        skip, skip_mask = states.pop()
        x = torch.cat([x.repeat_interleave(2, 2).repeat_interleave(2, 3), skip], 1)
        m = torch.cat([m.repeat_interleave(2, 2).repeat_interleave(2, 3), skip_mask], 1)
        x, m = partial(layer, x, m)  # type: ignore[arg-type]
        if states:
            x = F.leaky_relu(net.decoder_norms[level](x), 0.2)
    return x


@pytest.mark.parametrize("training", [False, True])
def test_network_is_the_published_table(batch: Batch, training: bool) -> None:
    image, mask = (x.double() for x in batch)
    net = network().double().train(training)
    assert torch.allclose(net(image, mask), naive(net, image, mask), rtol=1e-6, atol=1e-7)


def test_what_lies_in_the_hole_is_not_seen_and_any_size_is_filled(batch: Batch) -> None:
    image, mask = batch
    net = network().eval()
    noise = torch.rand_like(image)
    assert torch.equal(net(composite(noise, image, mask), mask), net(image, mask))
    assert net(image[..., :50, :37], mask[..., :50, :37]).shape == (2, 3, 50, 37)


def test_a_picture_without_a_known_pixel_gives_numbers() -> None:
    image = torch.rand(2, 3, 32, 32)
    output = network()(image, torch.zeros(2, 1, 32, 32))
    assert output.isfinite().all()


# Objective and fine-tuning


def test_total_variation_is_that_of_the_dilated_hole(batch: Batch) -> None:
    image, mask = (x[..., :20, :40].double() for x in batch)
    hole = 1 - mask[:, 0].numpy()
    dilated = np.zeros_like(hole)
    for b, i, j in np.ndindex(*hole.shape):
        dilated[b, i, j] = hole[b, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2].max()
    total, pixels = 0.0, image.numpy()
    for b, c, i, j in np.ndindex(*pixels.shape):
        for y, z in ((i + 1, j), (i, j + 1)):
            if y < 20 and z < 40 and dilated[b, i, j] and dilated[b, y, z]:
                total += abs(pixels[b, c, i, j] - pixels[b, c, y, z])
    assert total_variation(image, mask).item() == pytest.approx(total / pixels.size)
    assert 0 < dilated.mean() < 1


@pytest.mark.parametrize("name", ["small", "paper"])
def test_its_weights_and_betas_are_its_own(learner: MakeLearner, name: str) -> None:
    changed = {"pixel": 9.0, "perceptual": 9.0, "style": 9.0, "betas": (0.1, 0.2)}
    own = {"valid": 1, "hole": 6, "perceptual": 0.05, "style": 120, "variation": 0.1}
    assert weights(override(preset(name), changed)) == own
    for option, value in changed.items():
        with pytest.raises(UserError, match=f"without effect on pconv: --{option}"):
            find("pconv").check(override(preset(name), {option: value}))
    groups = learner("pconv", betas=(0.1, 0.2)).optimizer.param_groups
    assert {group["betas"] for group in groups} == {(0.9, 0.999)}


def test_other_weights_on_random_features_are_told() -> None:
    method = find("pconv")
    assert isinstance(method, TrainedNetwork)
    assert method.departures(preset("paper")) == {}
    assert method.departures(preset("quick")) == {
        "valid": 6.0, "hole": 36.0, "style": 10.0, "variation": 0.6
    }  # fmt: skip


def test_terms_are_those_of_the_paper(learner: MakeLearner, batch: Batch) -> None:
    image, mask = batch
    taught = learner("pconv")
    with torch.no_grad():
        output = taught.generator(image, mask)
        filled = composite(output, image, mask)
        features = [taught.features(x) for x in (image, output, filled)]
    terms = taught.step(*lesson(image, mask), 0)
    assert list(terms) == list(taught.terms)
    error = (output - image).abs()
    perceptual = style = 0.0
    for target, *found in zip(*features, strict=True):
        _, c, h, w = target.shape
        grams = [torch.einsum("bchw,bdhw->bcd", f, f) / (c * h * w) for f in (target, *found)]
        for f, g in zip(found, grams[1:], strict=True):
            perceptual += (f - target).abs().mean().item()
            style += (g - grams[0]).abs().mean().item()
    expected = {
        "valid": (error * mask).sum().item() / image.numel(),
        "hole": (error * (1 - mask)).sum().item() / image.numel(),
        "perceptual": perceptual,
        "style": style,
        "variation": total_variation(filled, mask).item(),
    }
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value, rel=1e-4), name
    total = sum(RANDOM_FEATURES[name] * value for name, value in expected.items())
    assert terms["total"].item() == pytest.approx(total, rel=1e-4)


def test_fine_tuning_freezes_the_encoders_norms_alone(learner: MakeLearner, batch: Batch) -> None:
    taught = learner("pconv", steps=11)
    unet = taught.unet
    taught.step(*lesson(*batch), 9)
    assert taught.optimizer.param_groups[1]["lr"] == pytest.approx(2 * taught.config.training.lr)
    before, statistics = conftest.weights(unet), unet.encoder_norms[1].running_mean.clone()
    others = unet.decoder_norms[0].running_mean.clone()
    taught.step(*lesson(*batch), 10)  # the last of eleven
    assert taught.optimizer.param_groups[1]["lr"] == pytest.approx(taught.config.training.lr / 2)
    still = set(before) - moved(before, unet)
    norms = {n for n in before if n.startswith("encoder_norms")}
    assert norms and norms <= still
    assert not {n for n in still - norms if not n.endswith("bias")}
    assert torch.equal(unet.encoder_norms[1].running_mean, statistics)
    assert not torch.equal(unet.decoder_norms[0].running_mean, others)


def test_norms_stay_frozen_after_a_validation(learner: MakeLearner, batch: Batch) -> None:
    taught = learner("pconv", steps=11)
    taught.step(*lesson(*batch), 10)
    taught.unet.eval()
    taught.unet.train()
    assert not any(norm.training for norm in taught.unet.encoder_norms)
    assert all(norm.training for norm in taught.unet.decoder_norms)
    before = taught.unet.encoder_norms[1].running_mean.clone()
    taught.step(*lesson(*batch), 10)
    assert torch.equal(taught.unet.encoder_norms[1].running_mean, before)


def test_the_phase_follows_from_the_number_of_the_step(learner: MakeLearner, batch: Batch) -> None:
    taught = learner("pconv", steps=110)
    for number in (99, 100, 0, 109):
        taught.step(*lesson(*batch), number)
        assert taught.unet.encoder_norms_frozen == (number >= 110 * (1 - FINE_TUNING))


def test_it_learns(learner: MakeLearner, batch: Batch) -> None:
    taught = learner("pconv", lr=2e-3)
    assert learns(lambda _: taught.step(*lesson(*batch), 0)["hole"], 1 / 3, most=40)
