"""LPIPS by the lpips package, with real backbone weights or not at all."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.core.errors import MissingWeightsError
from bench.evaluation.metrics.metric import REGISTRY, Metric, MetricFunction

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from bench.config import Evaluation

BACKBONES = {"alex": "AlexNet", "vgg": "VGG-16"}


def build(backbone: str, file: Path | None, download: bool) -> nn.Module:
    """Return LPIPS v0.1 with `alex` or `vgg`: call it with two images [B,3,H,W] in [-1,1].

    The package ships the linear heads. The backbone's ImageNet weights come from `file`, from
    torch hub's cache, or, where `download` allows it, from torchvision. A damaged `file` is a
    `UserError`; weights that cannot be had raise `MissingWeightsError`.
    """
    import lpips

    from bench.networks import weights

    state = weights.read(file) if file else _torchvision_state(backbone, download)
    # pnet_rand leaves the backbone untrained: the package would download it by itself.
    model: nn.Module = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
    network: nn.Module = model.get_submodule("net")
    names = {
        f"features.{name.partition('.')[2]}": name for name in network.state_dict()
    }  # lpips cuts torchvision's `features` into slices but keeps their numbers
    wanted = {theirs: network.state_dict()[ours] for theirs, ours in names.items()}
    found = {k: v for k, v in state.items() if k.startswith("features.")}
    weights.check(found, wanted, f"{file or 'torchvision'} ({backbone} features)")
    network.load_state_dict({ours: state[theirs] for theirs, ours in names.items()})
    return model.eval().requires_grad_(False)


def distance(
    model: nn.Module, output: Tensor, target: Tensor, hole: Tensor | None = None
) -> Tensor:
    """Return LPIPS [B] of images in [-1,1]."""
    result: Tensor = model(output, target)
    return result.flatten().double()


def _load(backbone: str, settings: Evaluation, device: torch.device) -> MetricFunction:
    file = Path(settings.lpips_weights) if settings.lpips_weights else None
    return partial(distance, build(backbone, file, settings.download).to(device))


def _chosen(backbone: str, settings: Evaluation) -> bool:
    return settings.lpips == backbone


def _switched_off(settings: Evaluation, device: torch.device) -> MetricFunction:
    raise MissingWeightsError("switched off by --lpips off")


def _torchvision_state(backbone: str, download: bool) -> dict[str, Tensor]:
    from torchvision.models import AlexNet_Weights, VGG16_Weights

    from bench.networks.weights import torchvision_state

    entry = {"alex": AlexNet_Weights.IMAGENET1K_V1, "vgg": VGG16_Weights.IMAGENET1K_V1}[backbone]
    advice = "give torchvision's state dict by --lpips-weights FILE"
    return torchvision_state(BACKBONES[backbone], entry, advice, download)


for backbone, title in BACKBONES.items():
    REGISTRY.add(
        f"lpips_{backbone}",
        Metric(
            name=f"lpips_{backbone}",
            label=f"LPIPS, {title}",
            higher_is_better=False,
            order=4,
            input_range=(-1.0, 1.0),
            load=partial(_load, backbone),
            wanted=partial(_chosen, backbone),
        ),
    )
REGISTRY.add(
    "lpips",
    Metric(
        name="lpips",
        label="LPIPS",
        higher_is_better=False,
        order=5,
        load=_switched_off,
        wanted=partial(_chosen, "off"),
    ),
)
