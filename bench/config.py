"""Everything that can be set, and overrides by name; `bench.presets` has the presets.

The command line is derived from these dataclasses: each field is an option, `--batch-size` for
`batch_size`, with its type and help. `identity=False` marks what cannot change a result (where data
lies, how often to log): it is left out of a run's fingerprint.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_type_hints

from bench.core.errors import UserError, unknown

MOST_HOLE = 0.8
"""Generated strokes hardly ever cover more."""


def option(default: Any, help: str, *, identity: bool = True) -> Any:
    """Define a field with a help text; `identity` says whether it can change a result."""
    return field(default=default, metadata={"help": help, "identity": identity})


@dataclass(frozen=True)
class Data:
    """Images, masks and test pairs."""

    images: str = option(
        "sample",
        "training images: a source that `list images` names, such as sample, bsds500 or "
        "folder:PATH",
    )
    test_images: str = option("", "test images, same forms; empty: the test split of --images")
    data_root: str = option("", "folder that holds (or receives) named data sets", identity=False)
    size: int = option(256, "side of the square crop, pixels")
    resize: int = option(350, "shorter side before the crop, pixels")
    masks: str = option(
        "shapes,strokes",
        "training masks: families that `list masks` names, comma-separated, such as "
        "shapes,strokes, or a source, such as nvidia or masks:PATH",
    )
    test_masks: str = option("", "test masks, same forms; empty: as --masks")
    polarity: Literal["", "hole-white", "hole-black"] = option(
        "", "what the hole is in the files of masks:PATH"
    )
    ratio: tuple[float, float] = option(
        (0.1, 0.5), "hole share of generated training masks, (low, high]"
    )
    pairs: int = option(25, "test pairs per mask-ratio bucket")
    validation_pairs: int = option(4, "validation pairs per bucket")
    manifest: str = option(
        "",
        "file with the frozen test pairs; empty: made from the options above",
        identity=False,  # its content is part of the identity, not its place
    )


@dataclass(frozen=True)
class Model:
    """Size of the networks."""

    width: int = option(64, "channels of the first layer")
    depth: int = option(7, "encoder layers; sides are padded to a multiple of 2^depth")
    critic_width: int = option(64, "channels of the critic's first layer")


@dataclass(frozen=True)
class Objective:
    """Weights and choices of the loss (equations 14-18)."""

    pixel: float = option(1.0, "lambda 1, weight of the L1 loss")
    hole: float = option(1.0, "weight of hole pixels within the L1 loss")
    adversarial: float = option(0.1, "lambda 2, weight of the adversarial loss; 0 trains no critic")
    gradient_penalty: float = option(10.0, "weight of the critic's gradient penalty")
    critic_end: Literal["sigmoid", "linear"] = option("sigmoid", "last layer of the critic")
    perceptual: float = option(0.05, "lambda 3, weight of the perceptual loss")
    perceptual_distance: Literal["l2", "l1"] = option("l2", "distance of perceptual features")
    style: float = option(120.0, "lambda 4, weight of the style loss")
    over_layers: Literal["mean", "sum"] = option(
        "mean", "how the perceptual and style losses join the three layers of features"
    )
    features_of: Literal["raw", "raw+composite"] = option(
        "raw", "what the perceptual and style losses look at"
    )
    normalise: bool = option(
        True, "give the perceptual network colours normalised by ImageNet's mean and deviation"
    )
    features: Literal["vgg16", "random"] = option(
        "vgg16",
        "perceptual network: VGG-16 with ImageNet weights, or a slim one with random weights",
    )
    vgg16_weights: str = option(
        "", "file with torchvision's VGG-16 state dict; empty: torchvision's own", identity=False
    )


@dataclass(frozen=True)
class Training:
    """The budget and the optimizers."""

    seed: int = option(0, "seed of data order, masks, initial weights and sampling")
    epochs: int = option(500, "passes over the training images, if --steps is 0")
    steps: int = option(0, "training steps; 0: as --epochs says")
    batch_size: int = option(48, "images per step, over all devices")
    lr: float = option(1e-4, "generator: Adam learning rate")
    betas: tuple[float, float] = option((0.5, 0.9), "generator: Adam betas")
    critic_lr: float = option(1e-5, "critic: Adam learning rate")
    critic_betas: tuple[float, float] = option((0.0, 0.9), "critic: Adam betas")
    precision: Literal["auto", "fp32", "bf16"] = option(
        "auto", "auto: bf16 where the device has units for it (CUDA, CPU with AMX), else fp32"
    )
    device: Literal["auto", "cpu"] = option(
        "auto", "auto: a GPU where there is one", identity=False
    )
    workers: int = option(
        0, "processes that prepare batches; 0: the one that trains", identity=False
    )
    log_every: int = option(10, "steps between rows of the log", identity=False)
    validate_every: int = option(1000, "steps between validations", identity=False)
    checkpoint_every: int = option(1000, "steps between checkpoints", identity=False)


@dataclass(frozen=True)
class Evaluation:
    """How results are measured."""

    references: str = option(
        "floor",
        "algorithms measured on the same pairs: names, comma-separated, or floor (the simplest); "
        "empty: none",
    )
    eval_batch: int = option(8, "test pairs per forward pass", identity=False)
    margins: str = option(
        "",
        "differences up to which methods count as equal, METRIC=VALUE, comma-separated; empty: "
        "each metric's own",
        identity=False,  # it changes verdicts, no number
    )
    lpips: Literal["alex", "vgg", "off"] = option("alex", "backbone of LPIPS")
    lpips_weights: str = option(
        "", "file with torchvision's state dict of that backbone", identity=False
    )
    download: bool = option(True, "fetch pretrained weights that are missing", identity=False)


@dataclass(frozen=True)
class Config:
    """One experiment, but for the method."""

    preset: str
    data: Data = Data()
    model: Model = Model()
    objective: Objective = Objective()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()

    def __post_init__(self) -> None:
        _check(self)

    def value(self, option: str) -> Any:
        """Return the value of an option, in whichever section it stands."""
        return next(
            getattr(getattr(self, section), option)
            for section, kind in sections()
            if option in {item.name for item in fields(kind)}
        )


def sections() -> Iterator[tuple[str, type]]:
    """Yield the sections of a config: (field name, dataclass)."""
    hints = get_type_hints(Config)
    for item in fields(Config):
        if dataclasses.is_dataclass(hints[item.name]):
            yield item.name, hints[item.name]


def override(config: Config, values: Mapping[str, Any]) -> Config:
    """Return `config` with the named fields replaced, in whichever section they stand."""
    left = dict(values)
    changed = {}
    for section, kind in sections():
        mine = {f.name: left.pop(f.name) for f in fields(kind) if f.name in left}
        changed[section] = replace(getattr(config, section), **mine)
    if left:
        raise unknown(
            "option", next(iter(left)), [f.name for _, k in sections() for f in fields(k)]
        )
    return replace(config, **changed)


def to_dict(config: Config) -> dict[str, Any]:
    """Return the config as nested plain values, for JSON."""
    return dataclasses.asdict(config)


def from_dict(values: Mapping[str, Any]) -> Config:
    """Return the config of what `to_dict` gave, also after a trip through JSON."""
    parts: dict[str, Any] = {}
    for section, kind in sections():
        given = values[section]
        parts[section] = kind(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
        )
    return Config(preset=values["preset"], **parts)


def identity(config: Config) -> dict[str, Any]:
    """Return the fields that can change a result, as `section.field`: value."""
    return {
        f"{section}.{f.name}": getattr(getattr(config, section), f.name)
        for section, kind in sections()
        for f in fields(kind)
        if f.metadata["identity"]
    }


def _check(config: Config) -> None:
    """Raise a `UserError` for values that cannot work, which names the option and the way out."""
    data, training = config.data, config.training
    positive = {
        "--size": data.size, "--width": config.model.width,
        "--critic-width": config.model.critic_width, "--batch-size": training.batch_size,
        "--pairs": data.pairs, "--validation-pairs": data.validation_pairs,
        "--eval-batch": config.evaluation.eval_batch, "--log-every": training.log_every,
        "--validate-every": training.validate_every,
        "--checkpoint-every": training.checkpoint_every, "--lr": training.lr,
        "--critic-lr": training.critic_lr,
    }  # fmt: skip
    for flag, value in positive.items():
        if value <= 0:
            raise UserError(f"{flag} is {value}; it must be above 0")
    if config.model.depth < 2:
        raise UserError(f"--depth is {config.model.depth}; a U-Net needs at least 2")
    if data.resize < data.size:
        raise UserError(
            f"--resize {data.resize} is below --size {data.size}; the crop must fit: "
            f"use --resize {round(data.size * 350 / 256)}"
        )
    if training.steps < 0 or (training.steps == 0 and training.epochs <= 0):
        raise UserError("no training budget: set --steps or --epochs above 0")
    low, high = data.ratio
    if not 0 <= low < high <= MOST_HOLE:
        raise UserError(f"--ratio {low} {high} must satisfy 0 <= low < high <= {MOST_HOLE}")
