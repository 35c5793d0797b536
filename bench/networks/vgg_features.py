"""VGG networks whose pooling features the perceptual and style losses compare."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.config import Objective
from bench.networks import weights
from bench.networks.initialisation import he, initialise

log = logging.getLogger(__name__)
POOL3 = 17
"""Number of layers in VGG-16's `features` up to and including its third pooling layer."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's colours, as torchvision's weights expect them."""


class PoolFeatures(nn.Module):
    """A frozen VGG that maps images [B,3,H,W] in [0,1] to the outputs of pool1, pool2 and pool3."""

    mean: Tensor
    std: Tensor
    normalise = True
    """Whether colours are normalised first, as ImageNet's weights expect them."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the features [B,C,H/2,W/2], [B,2C,H/4,W/4] and [B,4C,H/8,W/8]."""
        x = (image - self.mean) / self.std if self.normalise else image
        features = []
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                features.append(x)
        return features


def build(objective: Objective, download: bool, normalise: bool = True) -> PoolFeatures:
    """Return the network that `--features` names; `download` allows fetching missing weights.

    `normalise` says whether it normalises colours by ImageNet's mean and deviation.
    """
    if objective.features == "random":
        log.info(
            "perceptual and style loss compare random features, which is not the paper's loss "
            "(--features vgg16 is)"
        )
        network = random_vgg()
    else:
        file = Path(objective.vgg16_weights) if objective.vgg16_weights else None
        network = vgg16(file, download)
    network.normalise = normalise
    return network


def vgg16(file: Path | None, download: bool = False) -> PoolFeatures:
    """Return VGG-16 up to pool3 with ImageNet weights: from `file`, or torchvision's.

    A `file` that is damaged or lacks a key is a `UserError`. Weights that are not available raise
    `MissingWeightsError`; `download` allows fetching them.
    """
    if file is not None:
        state = weights.read(file)
    else:
        advice = "give torchvision's state dict by --vgg16-weights FILE, use --features random"
        state = weights.torchvision_state("VGG-16", weights.VGG16, advice, download)
    from torchvision.models import vgg16 as torchvision_vgg16

    # On the meta device no memory is filled with weights that are replaced at once.
    with torch.device("meta"):
        layers = torchvision_vgg16(weights=None).features[:POOL3]
    expected = {f"features.{name}": value for name, value in layers.state_dict().items()}
    found = {name: value for name, value in state.items() if name in expected}
    weights.check(found, expected, f"{file or 'torchvision'} (VGG-16)")
    state = {name.removeprefix("features."): value for name, value in found.items()}
    layers.load_state_dict(state, assign=True)
    return PoolFeatures(layers)


def random_vgg(width: int = 8) -> PoolFeatures:
    """Return VGG-16's first three stages with seeded random filters.

    The first stage has `width` channels in place of 64. He-normal filters keep the scale of
    activations, so the weights of the losses keep their order of magnitude. The network needs no
    download. Losses on its features are not the paper's.
    """
    layers: list[nn.Module] = []
    for stage, (inputs, convolutions) in enumerate([(3, 2), (width, 2), (2 * width, 3)]):
        outputs = width * 2**stage
        for a, b in itertools.pairwise([inputs] + [outputs] * convolutions):
            layers += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True)]
        layers.append(nn.MaxPool2d(2, 2))
    network = nn.Sequential(*layers)
    initialise(network, 0, he, purpose="random perceptual network")
    return PoolFeatures(network)
