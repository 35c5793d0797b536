"""LPIPS by the lpips package, with real backbone weights or not at all."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn

from bench.networks import weights


class MissingWeightsError(Exception):
    """LPIPS cannot be measured here; the text says why and how it could be."""


def build(backbone: str, file: Path | None, download: bool) -> nn.Module:
    """LPIPS v0.1 with `alex` or `vgg`: call with two images [B,3,H,W] in [-1,1].

    The package ships the linear heads; the backbone's ImageNet weights come from `file`, from
    torch hub's cache, or, where `download` allows it, from torchvision. A damaged `file` is a
    `UserError`; weights that cannot be had raise `MissingWeightsError`.
    """
    if backbone == "off":
        raise MissingWeightsError("switched off by --lpips off")
    state = weights.read(file) if file else _hub_state(backbone, download)
    import lpips

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


def distance(model: nn.Module, output: Tensor, target: Tensor) -> Tensor:
    """LPIPS [B] of images in 0..255, scaled to the [-1,1] the package expects."""
    result: Tensor = model(output / 127.5 - 1, target / 127.5 - 1)
    return result.flatten().double()


def _hub_state(backbone: str, download: bool) -> dict[str, Tensor]:
    from torchvision.models import AlexNet_Weights, VGG16_Weights

    name, entry = {
        "alex": ("AlexNet", AlexNet_Weights.IMAGENET1K_V1),
        "vgg": ("VGG-16", VGG16_Weights.IMAGENET1K_V1),
    }[backbone]
    cached = Path(torch.hub.get_dir(), "checkpoints", Path(entry.url).name)
    if cached.is_file():
        return weights.read(cached)
    mend = "give torchvision's state dict by --lpips-weights FILE"
    if not download:
        raise MissingWeightsError(
            f"no ImageNet weights of {name} on this machine; {mend} or use --download true"
        )
    try:
        state: dict[str, Tensor] = entry.get_state_dict(progress=True, check_hash=True)
        return state
    except (URLError, OSError, RuntimeError) as error:
        raise MissingWeightsError(
            f"{name}'s ImageNet weights cannot be downloaded ({error}); {mend}"
        ) from error
