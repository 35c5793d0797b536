"""Lower bounds of the memory that a network needs, so that what cannot fit is refused at once.

They run before anything is built, and import no torch. What is refused cannot fit; what is not may
still be too much.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Set
from contextlib import suppress
from pathlib import Path

from bench.config import Config, Model
from bench.core.errors import UserError

WEIGHT = 4
"""Bytes of one parameter in float32."""
TRAINED_WEIGHT = {"adam": 16, "any": 8}
"""Bytes of one parameter in a training: itself and its gradient, and two moments of Adam."""
TRAINED_PIXEL = 40
"""Bytes that a step holds per pixel: target, holed image, mask and output, ten float32 channels."""
FEATURES = {"vgg16": 480, "random": 60}
"""Bytes per pixel of the perceptual network's features in bf16, which the gradient needs: two
layers of 64 channels (8 with random weights), two of 128 on a quarter of the pixels, and three of
256 on a sixteenth."""
CRITIC = 5440
"""Parameters of the common critic but for its last layer and biases, over its width squared: both
columns have 16 x (2 + 8 + 32 + 64 + 64) of them after the first layer."""
GPUS = ("/dev/nvidia0", "/dev/kfd")
"""Files that are there where a GPU is; networks then lie in its memory, which only torch knows."""


def check_network(model: Model, parameters: int) -> None:
    """Refuse a network whose weights alone do not fit into this machine's memory."""
    if parameters * WEIGHT > machine():
        raise UserError(
            f"--width {model.width} makes a network of {parameters:,} parameters, which "
            f"{_takes(parameters * WEIGHT)}; lower it"
        )


def check_training(
    config: Config, images: int, parameters: int, common: bool, ignores: Set[str]
) -> None:
    """Refuse a training that cannot fit, with `images` images in this process.

    `parameters` are the network's. `common` says that the common learner trains it, and `ignores`
    are the options without effect.
    """
    model, objective, size = config.model, config.objective, config.data.size
    critic = CRITIC * model.critic_width**2 if common and objective.adversarial else 0
    weight = TRAINED_WEIGHT["adam" if common else "any"]
    features = 0 if "features" in ignores else FEATURES[objective.features]
    needs = {
        f"--width {model.width}": parameters * weight,
        f"--critic-width {model.critic_width}": critic * weight,
        f"--batch-size {config.training.batch_size} at --size {size}": (
            images * size**2 * (TRAINED_PIXEL + features)
        ),
    }
    require(needs, config)


def require(needs: Mapping[str, float], config: Config) -> None:
    """Refuse a training on the CPU that exceeds the memory here; `needs` are bytes by option."""
    on_gpu = config.training.device == "auto" and any(Path(file).exists() for file in GPUS)
    if sum(needs.values()) > machine() and not on_gpu:
        most = max(needs, key=lambda option: needs[option])
        raise UserError(f"{most} {_takes(needs[most])}; lower it")


def machine() -> float:
    """Return the bytes of memory of this machine; infinity where the system does not tell."""
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return math.inf


def _takes(size: float) -> str:
    """Return words on bytes that are needed, and those that this machine has."""
    there = f"{machine() / 1e9:.1f} GB"
    return f"takes at least {size / 1e9:.1f} GB of memory, and this machine has {there}"
