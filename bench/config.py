"""Everything that can be set, and overrides by name; `bench.presets` has the presets.

The command line is derived from these dataclasses: each field is an option, `--batch-size` for
`batch_size`, with its type and help. `identity=False` marks what cannot change a result (where data
lies, how often to log): it is left out of a run's fingerprint.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from reprlib import repr as short
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bench.core.bounds import Bounds
from bench.core.errors import UserError, unknown

MOST_HOLE = 0.8
"""Generated strokes hardly ever cover more."""
MOST_STEPS = 99_999_999
"""Steps that the eight digits in a checkpoint's name can count."""
MOST_WEIGHT = 1e9
"""Largest weight of a loss; float32 overflows far beyond it."""
MOST_PAIRS = 100_000
"""Largest number of pairs per bucket."""
PICTURES = {"all": sys.maxsize, "none": 0}
"""Words of `--pictures`, and the pairs per bucket they stand for."""
ALEXNET_LEAST = 31
"""Side in pixels under which a layer of AlexNet, in LPIPS, is left without pixels."""
PATHS = ("/", "./", "../", "~")
"""Beginnings of a path that stands where the name of a source may stand."""
TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
"""Names of the options' types in errors."""


def option(default: Any, help: str, *, identity: bool = True, **bounds: float) -> Any:
    """Define a field with a help text; `identity` says whether it can change a result.

    `bounds` are those of its numbers, by the names that `Bounds` gives them.
    """
    return field(
        default=default, metadata={"help": help, "identity": identity, "bounds": Bounds(**bounds)}
    )


@dataclass(frozen=True)
class Data:
    """Images, masks and test pairs."""

    images: str = option(
        "sample",
        "training images: a folder's PATH, or a source that `list images` names, such as sample or "
        "bsds500",
    )
    test_images: str = option("", "test images, same forms; empty: the test split of --images")
    data_root: str = option("", "folder that holds (or receives) named data sets", identity=False)
    size: int = option(256, "side of the square crop, pixels", least=16, most=8192)
    resize: int = option(350, "shorter side before the crop, pixels", least=16, most=16384)
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
        (0.1, 0.5), "hole share of generated training masks, (low, high]", least=0, most=MOST_HOLE
    )
    pairs: int = option(25, "test pairs per mask-ratio bucket", least=1, most=MOST_PAIRS)
    validation_pairs: int = option(4, "validation pairs per bucket", least=1, most=MOST_PAIRS)
    manifest: str = option(
        "",
        "file with the frozen test pairs; empty: made from the options above",
        identity=False,  # its content is part of the identity, not its place
    )
    cache: str = option(
        "",
        "folder for decoded photographs and masks, such as a fast disk; empty: .cache below --out",
        identity=False,
    )
    rehash: bool = option(
        False, "hash all data files again, also those that look unchanged", identity=False
    )

    def __post_init__(self) -> None:
        """Let a path stand for `folder:PATH` among images, and for `masks:PATH` among masks."""
        kinds = {"images": "folder", "test_images": "folder", "masks": "masks"}
        for name, kind in {**kinds, "test_masks": "masks"}.items():
            value = getattr(self, name)
            if isinstance(value, str) and value.startswith(PATHS):
                object.__setattr__(self, name, f"{kind}:{value}")


@dataclass(frozen=True)
class Model:
    """Size of the networks."""

    width: int = option(64, "channels of the first layer", least=1, most=4096)
    depth: int = option(
        7, "encoder layers; sides are padded to a multiple of 2^depth", least=2, most=10
    )
    critic_width: int = option(64, "channels of the critic's first layer", least=1, most=4096)


@dataclass(frozen=True)
class Objective:
    """Weights and choices of the loss (equations 14-18)."""

    pixel: float = option(1.0, "lambda 1, weight of the L1 loss", least=0, most=MOST_WEIGHT)
    hole: float = option(1.0, "weight of hole pixels within the L1 loss", least=0, most=MOST_WEIGHT)
    adversarial: float = option(
        0.1,
        "lambda 2, weight of the adversarial loss; 0 trains no critic",
        least=0,
        most=MOST_WEIGHT,
    )
    gradient_penalty: float = option(
        10.0, "weight of the critic's gradient penalty", least=0, most=MOST_WEIGHT
    )
    critic_end: Literal["sigmoid", "linear"] = option("sigmoid", "last layer of the critic")
    perceptual: float = option(
        0.05, "lambda 3, weight of the perceptual loss", least=0, most=MOST_WEIGHT
    )
    perceptual_distance: Literal["l2", "l1"] = option("l2", "distance of perceptual features")
    style: float = option(120.0, "lambda 4, weight of the style loss", least=0, most=MOST_WEIGHT)
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

    seed: int = option(
        0, "seed of data order, masks, initial weights and sampling", least=0, most=2**63 - 1
    )
    epochs: int = option(
        500, "passes over the training images, if --steps is 0", least=0, most=1_000_000
    )
    steps: int = option(0, "training steps; 0: as --epochs says", least=0, most=MOST_STEPS)
    batch_size: int = option(48, "images per step, over all devices", least=1, most=65_536)
    lr: float = option(1e-4, "generator: Adam learning rate", above=0, most=1e6)
    betas: tuple[float, float] = option((0.5, 0.9), "generator: Adam betas", least=0, below=1)
    critic_lr: float = option(1e-5, "critic: Adam learning rate", above=0, most=1e6)
    critic_betas: tuple[float, float] = option((0.0, 0.9), "critic: Adam betas", least=0, below=1)
    precision: Literal["auto", "fp32", "bf16"] = option(
        "auto",
        "auto: bf16 where this machine trains faster in it, which a CPU finds out by a trial",
    )
    compile_step: Literal["off", "on"] = option(
        "off",
        "compile the steps of training, which takes a minute or two first: for long trainings on a "
        "GPU, on a CPU it is slower; results are equal but for rounding; needs a C++ compiler",
    )
    device: Literal["auto", "cpu"] = option(
        "auto", "auto: a GPU where there is one", identity=False
    )
    workers: int = option(
        0,
        "processes that prepare batches; 0: the one that trains",
        identity=False,
        least=0,
        most=128,
    )
    log_every: int = option(
        10, "steps between rows of the log", identity=False, least=1, most=MOST_STEPS
    )
    validate_every: int = option(
        1000, "steps between validations", identity=False, least=1, most=MOST_STEPS
    )
    checkpoint_minutes: float = option(
        5.0,
        "minutes after which a checkpoint is written, if no step of --checkpoint-every came first",
        identity=False,
        above=0,
        most=1e6,
    )
    checkpoint_every: int = option(
        1000, "steps between checkpoints", identity=False, least=1, most=MOST_STEPS
    )
    tracker: Literal["none", "tensorboard", "wandb", "mlflow", "trackio"] = option(
        "none", "where the curves of the training are sent as well", identity=False
    )
    keep_checkpoints: bool = option(
        False, "keep the last two checkpoints of a run that is finished", identity=False
    )


@dataclass(frozen=True)
class Evaluation:
    """How results are measured."""

    references: str = option(
        "floor",
        "algorithms measured on the same pairs: names, comma-separated, or floor (the simplest); "
        "empty: none",
    )
    eval_batch: int = option(8, "test pairs per forward pass", identity=False, least=1, most=65_536)
    compile: Literal["off", "on"] = option(
        "off",
        "fill test pairs by compiled weights: faster for hundreds of them, and equal but for "
        "rounding; needs a C++ compiler",
    )
    pictures: str = option(
        "10",
        "test pairs per mask-ratio bucket whose pictures are saved: a number, all or none",
        identity=False,
    )
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
    distances: Literal["auto", "on", "off"] = option(
        "auto",
        "FID, KID, P-IDS and U-IDS (extra fidelity); auto: where packages, weights and enough test "
        "images are at hand; on: an error without packages or weights",
        identity=False,  # what was measured is part of the identity, not the wish
    )
    inception_weights: str = option("", "file of torch-fidelity's weights", identity=False)
    download: bool = option(True, "fetch pretrained weights that are missing", identity=False)

    @property
    def pictured(self) -> int:
        """Largest number of test pairs per bucket whose pictures are saved."""
        return PICTURES[self.pictures] if self.pictures in PICTURES else int(self.pictures)


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


def from_dict(values: Any) -> Config:
    """Return the config of what `to_dict` gave, also after a trip through JSON.

    Anything else is a `UserError`. Options that change no result may be missing: an older program
    knew fewer of them.
    """
    kinds = dict(sections())
    if not isinstance(values, Mapping) or values.keys() != {"preset", *kinds}:
        raise UserError(f"not a config, which holds preset, {', '.join(kinds)} and nothing else")
    parts: dict[str, Any] = {name: _section(name, kind, values) for name, kind in kinds.items()}
    return Config(preset=values["preset"], **parts)


def _section(name: str, kind: Any, values: Mapping[str, Any]) -> Any:
    """Return one section of a config from its plain values."""
    given = values[name]
    if not isinstance(given, Mapping):
        raise UserError(f"not a config: its '{name}' is {short(given)} and no table of options")
    for item in fields(kind):
        if item.metadata["identity"] and item.name not in given:
            raise UserError(f"not a config of this program: '{name}.{item.name}' is missing")
    for option in given:
        if option not in kind.__dataclass_fields__:
            raise UserError(f"not a config of this program: it knows no '{name}.{option}'")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


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
    _check_value("the preset", config.preset, str, Bounds())
    for section, kind in sections():
        hints = get_type_hints(kind)
        for item in fields(kind):
            flag, value = flag_of(item.name), getattr(getattr(config, section), item.name)
            _check_value(flag, value, hints[item.name], item.metadata["bounds"])
    _check_together(config)


def flag_of(name: str) -> str:
    """Return how an option is written on the command line, such as `--batch-size`."""
    return f"--{name.replace('_', '-')}"


def _check_value(flag: str, value: Any, hint: Any, bounds: Bounds) -> None:
    """Raise a `UserError` for a value of another type than the hint's, or outside the bounds."""
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            known = ", ".join(f"'{word}'" for word in get_args(hint))
            raise UserError(f"{flag} is {short(value)}; it must be one of {known}")
    elif get_origin(hint) is tuple:
        if type(value) is not tuple or len(value) != len(get_args(hint)):
            raise UserError(f"{flag} is {short(value)}; it must be {len(get_args(hint))} numbers")
        for part, kind in zip(value, get_args(hint), strict=True):
            _check_value(flag, part, kind, bounds)
    elif type(value) is not hint and (hint, type(value)) != (float, int):
        raise UserError(f"{flag} is {short(value)}; it must be {TYPES[hint]}")
    elif hint is str:
        # No name of a file needs control characters or broken Unicode, and no output takes them.
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
            raise UserError(f"{flag} is {short(value)}; it must be a text that can be printed")
    elif hint is not bool and value not in bounds:
        raise UserError(f"{flag} is {value}; it must be {bounds}")


def _check_together(config: Config) -> None:
    """Raise a `UserError` for options that cannot work with each other."""
    data, training, evaluation = config.data, config.training, config.evaluation
    if data.resize < data.size:
        raise UserError(
            f"--resize {data.resize} is below --size {data.size}; the crop must fit: "
            f"use --resize {round(data.size * 350 / 256)}"
        )
    if training.steps == training.epochs == 0:
        raise UserError("no training budget: set --steps or --epochs above 0")
    low, high = data.ratio
    if low >= high:
        raise UserError(f"--ratio {low} {high}: the first number must be below the second")
    # Rounded as the masks are drawn: a share of 0.29 of 100 pixels is 29, not 28.999999999999996.
    if math.floor(low * data.size**2 + 1e-6) == math.floor(high * data.size**2 + 1e-6):
        raise UserError(
            f"--ratio {low} {high} holds no whole number of pixels at --size {data.size}; widen it"
        )
    if evaluation.lpips == "alex" and data.size < ALEXNET_LEAST:
        raise UserError(
            f"--size {data.size} leaves layers of --lpips alex without pixels; use --lpips vgg or "
            f"off, or at least --size {ALEXNET_LEAST}"
        )
    pictures = evaluation.pictures
    if pictures not in PICTURES and not (pictures.isascii() and pictures.isdigit()):
        raise UserError(f"--pictures {pictures}: give a number of pairs per bucket, all or none")
    if evaluation.references and not all(map(str.strip, evaluation.references.split(","))):
        raise UserError(f"--references {evaluation.references}: a name is missing at a comma")
