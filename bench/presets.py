"""The presets: named configs, of which the command line can override any field."""

from dataclasses import replace
from typing import Any

from bench.config import Config, Data, Evaluation, Model, Objective, Training, identity
from bench.core.errors import unknown

PRESETS: dict[str, Config] = {
    "quick": Config(
        "quick",
        Data(size=128, resize=175, pairs=12, validation_pairs=2),
        Model(width=16, depth=6, critic_width=8),
        # Random features carry less than VGG-16's, so the pixel loss leads in so short a training.
        Objective(pixel=6.0, style=10.0, features="random"),
        Training(
            steps=220, batch_size=8, lr=3e-3, critic_lr=1e-4, validate_every=55, checkpoint_every=55
        ),
        Evaluation(download=False),
    ),
    "small": Config(
        "small",
        Data(images="bsds500", size=256, resize=321, pairs=50),
        Model(width=32, critic_width=32),
        Objective(),
        Training(steps=8000, batch_size=16, workers=4, validate_every=500, checkpoint_every=500),
    ),
    "paper": Config(
        "paper", Data(images="paris", masks="paper", pairs=100), training=Training(workers=8)
    ),
}
PRESET_HELP = {
    "quick": "128 px, width 16, about a minute on two CPU cores; only shows that it works",
    "small": "256 px, width 32, BSDS500, meant for about an hour on one GPU",
    "paper": "256 px, width 64, batch 48, 500 epochs: the paper's values",
}
"""Descriptions of the presets in `--help`."""
RELEASED = Objective(
    hole=6.0,
    perceptual=0.01,
    perceptual_distance="l1",
    over_layers="sum",
    features_of="raw+composite",
    normalise=False,
)
"""The objective of the released code, but for the sign error in its critic's loss."""
OBJECTIVES = ("paper", "released")
"""Names of objectives that a preset can train by; `paper` is the preset's own."""


def preset(name: str) -> Config:
    """Return the preset of a name; an unknown name is a `UserError`."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]


def with_objective(config: Config, name: str) -> Config:
    """Return the config with the objective of a name in place of its own, on the same features."""
    if name not in OBJECTIVES:
        raise unknown("objective", name, OBJECTIVES)
    if name == "paper":
        return config
    return replace(config, objective=replace(RELEASED, features=config.objective.features))


def changes(config: Config) -> dict[str, Any]:
    """Return the options, by name, that can change a result and differ from the config's preset."""
    # A config from elsewhere may name a preset that is not here: the defaults stand in for it.
    usual = identity(PRESETS.get(config.preset, Config(config.preset)))
    return {
        name.partition(".")[2]: value
        for name, value in identity(config).items()
        if value != usual[name]
    }
