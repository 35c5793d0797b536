"""The weights of PConv's own loss (Liu et al. 2018, equation 7). No torch here."""

from __future__ import annotations

from bench.config import Config

PUBLISHED = {"valid": 1.0, "hole": 6.0, "perceptual": 0.05, "style": 120.0, "variation": 0.1}
"""Weights of the terms, with features of VGG-16."""
RANDOM_FEATURES = {"valid": 6.0, "hole": 36.0, "perceptual": 0.05, "style": 10.0, "variation": 0.6}
"""Weights with random features, which carry less than VGG-16's: the terms on pixels count six times
as much, as in the common objective of the quick preset."""


def weights(config: Config) -> dict[str, float]:
    """Return the weight of each term: the published ones, whatever the common objective's are."""
    return PUBLISHED if config.objective.features == "vgg16" else RANDOM_FEATURES


def departures(config: Config) -> dict[str, float]:
    """Return the weights that are not the published ones."""
    return {name: weight for name, weight in weights(config).items() if weight != PUBLISHED[name]}
