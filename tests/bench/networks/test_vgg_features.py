"""VGG-16's pooling features against torchvision's own, and what happens without its weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import Tensor
from torchvision.models import vgg16 as torchvision_vgg16

from bench.config import Objective
from bench.core.errors import UserError
from bench.networks import vgg_features as perceptual

State = dict[str, Tensor]
POOLS = (4, 9, 16)


@pytest.fixture(scope="module")
def state() -> State:
    """Torchvision's state dict with random values up to pool3, and a few of the keys after it."""
    with torch.device("meta"):
        shapes = torchvision_vgg16(weights=None).state_dict()
    stream = torch.Generator().manual_seed(0)
    state: State = {}
    for name, like in shapes.items():
        used = name.startswith("features.") and int(name.split(".")[1]) < 17
        if used or name in ("features.28.bias", "classifier.6.bias"):
            values = torch.randn(like.shape, generator=stream)
            state[name] = values * (2 / like[0].numel()) ** 0.5 if like.dim() > 1 else values * 0.1
    return state


@pytest.fixture(scope="module")
def file(state: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(state, path)
    return path


def image(batch: int = 2, side: int = 48) -> Tensor:
    return torch.rand(batch, 3, side, side + 16, generator=torch.Generator().manual_seed(1))


def test_features_are_torchvisions_pools_of_the_normalised_image(state: State, file: Path) -> None:
    with torch.device("meta"):
        layers = torchvision_vgg16(weights=None).features[:17]
    own = {
        name.removeprefix("features."): value
        for name, value in state.items()
        if name.removeprefix("features.") in layers.state_dict()
    }
    layers.load_state_dict(own, assign=True)
    x = image() - torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    x = x / torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    expected = []
    with torch.no_grad():
        for i, layer in enumerate(layers):
            x = layer(x)
            if i in POOLS:
                expected.append(x)
        found = perceptual.vgg16(file)(image())
    assert [f.shape for f in found] == [(2, 64, 24, 32), (2, 128, 12, 16), (2, 256, 6, 8)]
    for f, e in zip(found, expected, strict=True):
        assert e.std() > 0.1
        assert torch.allclose(f, e, rtol=1e-5, atol=1e-5)


def test_objective_names_the_network(file: Path) -> None:
    vgg = perceptual.build(Objective(features="vgg16", vgg16_weights=str(file)), download=False)
    assert vgg(image(1))[0].shape[1] == 64
    random = perceptual.build(Objective(features="random"), download=False)
    assert random(image(1))[0].shape[1] == 8


@pytest.mark.parametrize("name", ["features.0.weight", "features.7.bias", "features.14.weight"])
def test_missing_key_is_named(state: State, tmp_path: Path, name: str) -> None:
    torch.save({key: value for key, value in state.items() if key != name}, tmp_path / "v.pth")
    with pytest.raises(UserError, match=f"{name.removeprefix('features.')}'.*missing"):
        perceptual.vgg16(tmp_path / "v.pth")


def test_misshapen_key_is_named(state: State, tmp_path: Path) -> None:
    torch.save(state | {"features.2.weight": torch.zeros(64, 32, 3, 3)}, tmp_path / "v.pth")
    with pytest.raises(UserError, match=r"2\.weight' has shape"):
        perceptual.vgg16(tmp_path / "v.pth")


@pytest.mark.parametrize("name", ["features.weight", "features.conv1.weight"])
def test_weights_of_another_network_are_refused(tmp_path: Path, name: str) -> None:
    torch.save({name: torch.zeros(3)}, tmp_path / "v.pth")
    with pytest.raises(UserError):
        perceptual.vgg16(tmp_path / "v.pth")


def test_missing_file_is_named(tmp_path: Path) -> None:
    objective = Objective(vgg16_weights=str(tmp_path / "none.pth"))
    with pytest.raises(UserError, match=r"no weights file .*none\.pth"):
        perceptual.build(objective, download=False)


@pytest.mark.parametrize(
    "error",
    [URLError("no route"), OSError("disk full"), RuntimeError("invalid hash value")],
    ids=["offline", "disk", "hash"],
)
def test_failed_download_names_the_ways_out(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    # On the meta device torchvision builds its 138 million parameters at no cost.
    with torch.device("meta"), pytest.raises(UserError) as caught:
        perceptual.build(Objective(features="vgg16"), download=True)
    for advice in ("--vgg16-weights", "--features random", str(error)):
        assert advice in str(caught.value)
    assert not list(tmp_path.rglob("*.pth"))


def test_nothing_is_downloaded_that_was_not_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", lambda *_, **__: pytest.fail("it was asked for"))
    with pytest.raises(UserError, match="--download true"):
        perceptual.build(Objective(features="vgg16"), download=False)


def test_random_features_do_not_depend_on_the_global_seed() -> None:
    networks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        networks.append(perceptual.random_vgg().state_dict())
    first, second = networks
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_random_features_keep_the_scale_of_the_image() -> None:
    noise = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    scales = [f.square().mean().sqrt().item() for f in perceptual.random_vgg()(noise)]
    assert all(0.2 < scale < 20 for scale in scales)


def test_random_features_have_the_shapes_of_vggs_pools() -> None:
    shapes = [tuple(f.shape) for f in perceptual.random_vgg(width=4)(image())]
    assert shapes == [(2, 4, 24, 32), (2, 8, 12, 16), (2, 16, 6, 8)]


def test_random_network_has_the_layers_of_vgg() -> None:
    with torch.device("meta"):
        theirs = torchvision_vgg16(weights=None).features[:17]
    ours = perceptual.random_vgg(width=64).layers
    assert [type(m) for m in ours] == [type(m) for m in theirs]
    assert [p.shape for p in ours.parameters()] == [p.shape for p in theirs.parameters()]


@pytest.mark.parametrize("features", ["random", "vgg16"])
def test_network_is_frozen_and_passes_gradients_on(file: Path, features: str) -> None:
    objective = replace(Objective(), features=features, vgg16_weights=str(file))
    network = perceptual.build(objective, download=False)
    assert list(network.parameters())
    assert not any(p.requires_grad for p in network.parameters())
    x = image(1).requires_grad_()
    torch.stack([f.mean() for f in network(x)]).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert torch.count_nonzero(x.grad) > 0
