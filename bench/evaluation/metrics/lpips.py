"""The metric LPIPS, by the lpips package, with trained backbone weights or not at all."""

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
"""Titles of the networks whose features are compared, by lpips' names."""


def build(backbone: str, file: Path | None, download: bool) -> nn.Module:
    """Return LPIPS v0.1 with `alex` or `vgg`, a module of two images [B,3,H,W] in [-1,1].

    The package ships the linear heads. The backbone's ImageNet weights come from `file`, from
    torch hub's cache, or, where `download` allows it, from torchvision. A damaged `file` is a
    `UserError`; weights that are not available raise `MissingWeightsError`.
    """
    from bench.networks import weights

    state = weights.read(file) if file else _torchvision_state(backbone, download)
    import lpips  # after the weights: it takes a second, and there may be none

    # pnet_rand leaves the backbone untrained: otherwise the package would download its weights.
    model: nn.Module = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
    network: nn.Module = model.get_submodule("net")
    # lpips cuts torchvision's `features` into slices, but the layers keep their numbers.
    names = {f"features.{name.partition('.')[2]}": name for name in network.state_dict()}
    wanted = {theirs: network.state_dict()[ours] for theirs, ours in names.items()}
    found = {k: v for k, v in state.items() if k.startswith("features.")}
    weights.check(found, wanted, f"{file or 'torchvision'} ({backbone} features)")
    network.load_state_dict({ours: state[theirs] for theirs, ours in names.items()})
    return model.eval().requires_grad_(False)


def distance(
    model: nn.Module, output: Tensor, target: Tensor, hole: Tensor | None = None
) -> Tensor:
    """Return LPIPS [B] of images [B,3,H,W] in [-1,1]; the hole is not used."""
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
    from bench.networks.weights import ALEXNET, VGG16, torchvision_state

    file = {"alex": ALEXNET, "vgg": VGG16}[backbone]
    advice = "give torchvision's state dict by --lpips-weights FILE"
    return torchvision_state(BACKBONES[backbone], file, advice, download)


for key, title in BACKBONES.items():
    REGISTRY.add(
        f"lpips_{key}",
        Metric(
            name=f"lpips_{key}",
            label=f"LPIPS, {title}",
            higher_is_better=False,
            margin=0.01,
            order=4,
            input_range=(-1.0, 1.0),
            load=partial(_load, key),
            wanted=partial(_chosen, key),
        ),
    )
# With LPIPS off, one metric without numbers stays, whose note tells the reader why.
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
