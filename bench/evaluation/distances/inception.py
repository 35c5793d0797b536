"""The Inception network whose features FID, KID, P-IDS and U-IDS compare, by torch-fidelity."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bench.config import Evaluation
from bench.core.device import full_float32
from bench.core.errors import MissingWeightsError, UserError
from bench.core.sums import sha256
from bench.evaluation.distances.table import FEATURES
from bench.networks import weights

NAME = "inception-v3-compat"
"""Network by torch-fidelity's name: that of the published FIDs, in PyTorch."""
PACKAGES = {"torch_fidelity": "torch-fidelity", "sklearn": "scikit-learn"}
"""Packages that the distances need, as they are imported and as they are installed."""
ADVICE = "give torch-fidelity's file by --inception-weights FILE"


class Features(NamedTuple):
    """The function that computes features, and what tells it from another."""

    function: Callable[[Tensor], Tensor]
    """Function from images [B,3,H,W], uint8, to their features [B,F], float32, on the CPU."""
    digest: str
    """First digits of the weights' SHA-256 digest."""


def load(settings: Evaluation, device: torch.device) -> Features:
    """Return the features of torch-fidelity's Inception, with its published weights alone.

    The weights come from `--inception-weights`, from torch hub's cache, or, where `--download`
    allows it, from torch-fidelity's release. Where they or a package are not available, a
    `MissingWeightsError` says so. Other weights, or damaged ones, are a `UserError`.
    """
    for module, package in PACKAGES.items():
        if find_spec(module) is None:
            raise MissingWeightsError(
                f'no package {package}; `python -m pip install "lbam-bench[fidelity]"`'
            )
    from torch_fidelity import feature_extractor_inceptionv3 as inception

    file = _weights(settings, inception.URL_INCEPTION_V3)
    network: nn.Module = inception.FeatureExtractorInceptionV3(
        NAME, [str(FEATURES)], feature_extractor_weights_path=str(file)
    )
    network = network.to(device)

    def features(images: Tensor) -> Tensor:
        with torch.inference_mode(), full_float32():  # as networks are measured
            found: Tensor = network(images.to(device))[0]
        return found.cpu()

    return Features(features, _digest(inception.URL_INCEPTION_V3))


def _weights(settings: Evaluation, url: str) -> Path:
    """Return the file of the weights that are published at `url`: the one given, or the cached."""
    if not settings.inception_weights:
        weights.published(url, "Inception", ADVICE, settings.download)
        return weights.cached(Path(url).name)
    file = Path(settings.inception_weights).expanduser()
    weights.read(file)  # torch-fidelity itself would run code that a file holds
    if not sha256(file).startswith(_digest(url)):
        raise UserError(
            f"--inception-weights {file} is not torch-fidelity's {Path(url).name}: its SHA-256 "
            f"digest does not begin with {_digest(url)}; by other weights distances mean nothing"
        )
    return file


def _digest(url: str) -> str:
    """Return the first digits of the digest that end the name of a published file."""
    return Path(url).stem.rpartition("-")[2]
