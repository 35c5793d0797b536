"""The convention of a model file: how it takes an image and a mask, and gives the filled image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from bench.core.errors import UserError, unknown
from bench.data.masks.polarity import Polarity

if TYPE_CHECKING:
    from torch import Tensor

Order = Literal["image-mask", "mask-image", "image+mask", "mask+image"]
Colours = Literal["rgb", "bgr"]
Hole = Literal["black", "grey", "white"]
LEVELS: Mapping[Hole, float] = {"black": 0.0, "grey": 0.5, "white": 1.0}
"""Values of the hole in the image, in [0,1]."""


class Values(NamedTuple):
    """A range of values that stands for [0,1], in floats or in bytes."""

    low: float
    high: float
    whole: bool = False
    """Whether values are bytes: `uint8`."""

    @classmethod
    def parse(cls, text: str) -> Values:
        """Return the range of a text such as `-1..1` or `uint8`; another one is a `ValueError`."""
        if text == "uint8":
            return cls(0, 255, True)
        low, dots, high = text.partition("..")
        found = cls(float(low), float(high))
        if not dots or not found.low < found.high < float("inf"):
            raise ValueError
        return found

    def __str__(self) -> str:
        return "uint8" if self.whole else f"{self.low:g}..{self.high:g}"

    def encode(self, values: Tensor) -> Tensor:
        """Return values of [0,1] in this range."""
        encoded = self.low + (self.high - self.low) * values
        return encoded.round().byte() if self.whole else encoded

    def decode(self, values: Tensor) -> Tensor:
        """Return values of this range in [0,1]."""
        return (values.float() - self.low) / (self.high - self.low)


UNIT = Values(0, 1)


@dataclass(frozen=True)
class Convention:
    """Inputs and output of a model; the defaults are those of the suite's own exported files."""

    order: Order = "image-mask"
    """Order of the two inputs; `+` joins them as the channels of one."""
    polarity: Polarity = "hole-black"
    """Whether the hole has the mask's high value (white) or the low one."""
    range: Values = UNIT
    """Range of the image's values."""
    mask_range: Values = UNIT
    colours: Colours = "rgb"
    hole: Hole = "black"
    """Colour of the hole in the image."""
    mask_channels: Literal[1, 3] = 1
    multiple: int = 1
    """Number that divides the sides which the model takes; pictures are padded and cropped."""
    size: int = 0
    """The one side that the model takes, pixels; 0 for any, or for what an ONNX file says."""
    output_range: Values = UNIT
    output_colours: Colours = "rgb"

    def __str__(self) -> str:
        """Return the options that differ from the defaults, as they are stated after a file."""
        usual = Convention()
        return "".join(
            f":{key_of(f.name)}={getattr(self, f.name)}"
            for f in fields(self)
            if getattr(self, f.name) != getattr(usual, f.name)
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        """Contents of the model's inputs, in order: `image`, `mask`, or both joined by `+`."""
        return tuple(self.order.split("-"))

    def encode(self, image: Tensor, mask: Tensor) -> list[Tensor]:
        """Return the inputs of the model.

        The image [1,3,H,W] is in [0,1] with its hole black; the mask is [1,1,H,W], 1 = known.
        """
        image = image + (1 - mask) * LEVELS[self.hole]
        mask = mask if self.polarity == "hole-black" else 1 - mask
        parts = {
            "image": self.range.encode(_in_order(image, self.colours)),
            "mask": self.mask_range.encode(mask.repeat(1, self.mask_channels, 1, 1)),
        }
        return [_joined([parts[part] for part in name.split("+")]) for name in self.inputs]

    def decode(self, output: Tensor) -> Tensor:
        """Return the model's output [1,3,H,W] as an image in RGB; a right one lies in [0,1]."""
        return _in_order(self.output_range.decode(output), self.output_colours)


def _in_order(image: Tensor, colours: Colours) -> Tensor:
    """Return an image [1,3,H,W] in RGB with its channels in another order, or the other way."""
    return image if colours == "rgb" else image.flip(1)


def _joined(parts: list[Tensor]) -> Tensor:
    import torch

    return torch.cat(parts, dim=1)


def parse(options: Mapping[str, str]) -> Convention:
    """Return the convention of options by name; what is unknown or wrong is a `UserError`.

    The output has the range and the colours of the image unless an option says otherwise, and the
    mask is in bytes where the image is.
    """
    found = {}
    for key, text in options.items():
        if key not in PARSERS:
            raise unknown("option of a model", key, PARSERS)
        try:
            found[key.replace("-", "_")] = PARSERS[key](text)
        except ValueError:
            raise UserError(f"{key}={text}: use {HINTS[key]}") from None
    if "range" in found:
        found.setdefault("output_range", found["range"])
        if found["range"].whole:
            found.setdefault("mask_range", found["range"])
    if "colours" in found:
        found.setdefault("output_colours", found["colours"])
    return Convention(**found)


def key_of(field: str) -> str:
    """Return the option of a field of the convention."""
    return field.replace("_", "-")


def _one_of(*choices: Any) -> Callable[[str], Any]:
    """Return the parser of a choice."""
    by_text = {str(choice): choice for choice in choices}

    def parse(text: str) -> Any:
        if text not in by_text:
            raise ValueError
        return by_text[text]

    return parse


def _side(text: str) -> int:
    """Return a number of pixels from 1 to 4096; anything else is a `ValueError`."""
    if not 1 <= int(text) <= 4096:
        raise ValueError
    return int(text)


PARSERS: Mapping[str, Callable[[str], Any]] = {
    "order": _one_of(*get_args(Order)),
    "polarity": _one_of(*get_args(Polarity)),
    "range": Values.parse,
    "mask-range": Values.parse,
    "colours": _one_of(*get_args(Colours)),
    "hole": _one_of(*LEVELS),
    "mask-channels": _one_of(1, 3),
    "multiple": _side,
    "size": _side,
    "output-range": Values.parse,
    "output-colours": _one_of(*get_args(Colours)),
}
"""Functions from the text of an option to its value, by the option's name."""
HINTS = {
    "order": " or ".join(get_args(Order)),
    "polarity": " or ".join(get_args(Polarity)),
    "hole": " or ".join(LEVELS),
    "mask-channels": "1 or 3",
    **dict.fromkeys(("range", "mask-range", "output-range"), "uint8, or LOW..HIGH as in -1..1"),
    **dict.fromkeys(("colours", "output-colours"), " or ".join(get_args(Colours))),
    **dict.fromkeys(("multiple", "size"), "a number of pixels from 1 to 4096"),
}
"""Words on the values that an option takes."""
