from importlib.resources import files
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision
from torch import Tensor

from bench.config import Evaluation
from bench.core.errors import MissingWeightsError, UserError
from bench.evaluation.metrics.lpips import build, distance
from bench.evaluation.metrics.metric import find
from bench.networks import weights

NETS = {
    "alex": (torchvision.models.alexnet, (1, 4, 7, 9, 11)),
    "vgg": (torchvision.models.vgg16, (3, 8, 15, 22, 29)),
}
"""Torchvision's network and the ReLUs of its `features` that LPIPS looks at."""


def random_features(net: str) -> torch.nn.Sequential:
    """The network's `features` with random weights; its large classifier is never made."""
    with torch.device("meta"):
        network = NETS[net][0](weights=None)
    features: torch.nn.Sequential = network.features.to_empty(device="cpu")
    stream = torch.Generator().manual_seed(3)
    for parameter in features.parameters():
        if parameter.dim() > 1:
            torch.nn.init.kaiming_normal_(parameter, generator=stream)
        else:
            torch.nn.init.uniform_(parameter, -0.1, 0.1, generator=stream)
    return features


def save(path: Path, features: torch.nn.Sequential, without: str = "") -> Path:
    """A state dict as torchvision publishes it, with keys of the classifier."""
    state = {f"features.{name}": value for name, value in features.state_dict().items()}
    state["classifier.6.bias"] = torch.zeros(1000)
    state.pop(without, None)
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def alex() -> torch.nn.Sequential:
    return random_features("alex")


def pictures(seed: int) -> Tensor:
    """[2,3,64,64] in 0..255."""
    return torch.randint(256, (2, 3, 64, 64), generator=torch.Generator().manual_seed(seed)).float()


def by_hand(net: str, features: torch.nn.Sequential, one: Tensor, other: Tensor) -> list[float]:
    """LPIPS as its paper defines it, from torchvision's features and the published heads."""
    file = str(files("lpips").joinpath(f"weights/v0.1/{net}.pth"))
    heads = torch.load(file, map_location="cpu", weights_only=True)
    shift = torch.tensor([-0.030, -0.088, -0.188])[:, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450])[:, None, None]
    x, y = (((z / 255 * 2 - 1) - shift) / scale for z in (one, other))
    total, level = torch.zeros(len(one)), 0
    for number, layer in enumerate(features):
        x, y = layer(x.clone()), layer(y.clone())
        if number in NETS[net][1]:
            unit = [z / (z.square().sum(1, keepdim=True).sqrt() + 1e-10) for z in (x, y)]
            head = heads[f"lin{level}.model.1.weight"]
            total += ((unit[0] - unit[1]).square() * head).sum(1).mean((1, 2))
            level += 1
    assert level == 5
    return total.tolist()


@pytest.mark.parametrize("net", NETS)
def test_distance_equals_the_definition(net: str, tmp_path: Path) -> None:
    features = random_features(net)
    model = build(net, save(tmp_path / "weights.pth", features), download=False)
    one, other = pictures(0), pictures(1)
    with torch.no_grad():
        found = distance(model, one / 127.5 - 1, other / 127.5 - 1)
        expected = by_hand(net, features, one, other)
    assert min(expected) > 0.01
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx(expected, rel=1e-4)


def test_model_is_frozen_and_in_evaluation_mode(alex: torch.nn.Sequential, tmp_path: Path) -> None:
    model = build("alex", save(tmp_path / "alex.pth", alex), download=False)
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("key", ["features.0.bias", "features.10.weight"])
def test_missing_key_is_named(alex: torch.nn.Sequential, tmp_path: Path, key: str) -> None:
    path = save(tmp_path / "alex.pth", alex, without=key)
    with pytest.raises(UserError, match=rf"alex\.pth.*'{key}' is missing"):
        build("alex", path, download=False)


def test_weights_of_the_other_backbone_are_refused(
    alex: torch.nn.Sequential, tmp_path: Path
) -> None:
    path = save(tmp_path / "alex.pth", alex)
    with pytest.raises(UserError, match=r"alex\.pth \(vgg features\)"):
        build("vgg", path, download=False)


def test_damaged_and_absent_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "damaged.pth").write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"damaged\.pth is not a readable weights file"):
        build("alex", tmp_path / "damaged.pth", download=False)
    with pytest.raises(UserError, match=r"no weights file .*absent\.pth"):
        build("alex", tmp_path / "absent.pth", download=True)


@pytest.fixture
def empty_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A torch hub without a checkpoint."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.parametrize(("net", "title"), [("alex", "AlexNet"), ("vgg", "VGG-16")])
def test_weights_that_may_not_be_fetched_are_missing_with_a_mend(
    empty_hub: Path, net: str, title: str
) -> None:
    with pytest.raises(
        MissingWeightsError, match=f"{title} .*--lpips-weights FILE .*--download true"
    ):
        build(net, None, download=False)


def test_failed_download_is_missing_weights_with_the_reason(
    empty_hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    with pytest.raises(MissingWeightsError, match=r"AlexNet.*no route.*--lpips-weights"):
        build("alex", None, download=True)


def test_weights_in_the_hub_are_used(
    alex: torch.nn.Sequential, empty_hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_hub / "checkpoints").mkdir(parents=True)
    save(empty_hub / "checkpoints" / "alexnet-owt-7be5be79.pth", alex)
    # The file's name holds the first digits of its digest, which no other weights have.
    monkeypatch.setattr(weights, "sha256", lambda _: "7be5be79" + "0" * 56)
    model = build("alex", None, download=False)
    one, other = pictures(0), pictures(1)
    with torch.no_grad():
        expected = by_hand("alex", alex, one, other)
        assert distance(model, one / 127.5 - 1, other / 127.5 - 1).tolist() == pytest.approx(
            expected, rel=1e-4
        )


def test_damaged_weights_in_the_hub_are_named_with_a_way_out(
    alex: torch.nn.Sequential, empty_hub: Path
) -> None:
    (empty_hub / "checkpoints").mkdir(parents=True)
    save(empty_hub / "checkpoints" / "alexnet-owt-7be5be79.pth", alex)
    with pytest.raises(UserError, match=r"alexnet-owt-7be5be79\.pth is damaged; delete it"):
        build("alex", None, download=True)


def test_switched_off_says_so() -> None:
    with pytest.raises(MissingWeightsError, match="--lpips off"):
        find("lpips").load(Evaluation(lpips="off"), torch.device("cpu"))
