"""A model file as a network like any other: it takes an image and a mask, and fills the hole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.core.errors import UserError
from bench.foreign import loading
from bench.foreign.convention import Convention
from bench.foreign.probe import example, probe


class FileNetwork(nn.Module):
    """The network of a model file, which keeps the suite's contract by its convention.

    The model stays in float32, and gets one picture at a time: many files fix the batch. A file
    that cannot be loaded, or that cannot be right under the convention, is a `UserError`.
    """

    def __init__(self, kind: str, file: Path, convention: Convention) -> None:
        super().__init__()
        self.label, self.convention = f"{kind}:{file}", convention
        with self._named():
            self.model = loading.LOADERS[kind](file)
            probe(self.model.inputs, convention, self.run, self.fixed)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the output [B,3,H,W] in [0,1]; image [B,3,H,W] in [0,1], mask 1 = known."""
        pairs = zip(image.float().split(1), mask.float().split(1), strict=True)
        # The picture of the probe went through: what fails now is the size.
        hint = "" if self.fixed else "; state what its sides are multiples of, as in multiple=8"
        with self._named(hint):
            outputs = [self.run(*pair, self.convention).clamp(0, 1) for pair in pairs]
        return torch.cat(outputs).to(image.dtype)

    @property
    def fixed(self) -> tuple[int, int] | None:
        """Height and width that the model takes, pixels; None for any."""
        size = self.convention.size
        return (size, size) if size else self.model.sides

    @contextmanager
    def _named(self, hint: str = "") -> Iterator[None]:
        """Name the file in errors, and what may help."""
        try:
            yield
        except UserError as error:
            raise UserError(f"{self.label}: {error}{hint}") from error

    def check_side(self, side: int) -> None:
        """Raise a `UserError` if the model cannot fill a picture of a side, in pixels."""
        with torch.inference_mode():
            self(*example(side, side))

    def run(self, image: Tensor, mask: Tensor, convention: Convention) -> Tensor:
        """Return the output [1,3,H,W] of the model under a convention, not clipped."""
        height, width = image.shape[-2:]
        sides = self._sides_for(height, width)
        output = self.model(convention.encode(_padded(image, *sides), _padded(mask, *sides)))
        if tuple(output.shape) != (1, 3, *sides):
            raise UserError(
                f"its output is {list(output.shape)} for an image of {[1, 3, *sides]}; it must "
                "give a picture in RGB of the same size"
            )
        return convention.decode(output)[..., :height, :width]

    def _sides_for(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width that a picture is padded to."""
        if self.fixed is None:
            step = self.convention.multiple
            return -(-height // step) * step, -(-width // step) * step
        if height > self.fixed[0] or width > self.fixed[1]:
            raise UserError(
                f"the model takes {self.fixed[0]}x{self.fixed[1]} pixels, and the picture has "
                f"{height}x{width}"
            )
        return self.fixed


def _padded(x: Tensor, height: int, width: int) -> Tensor:
    """Return a tensor [1,C,H,W] with pixels mirrored below and to the right, up to some sides."""
    rows, columns = (
        _mirrored(*sides, x.device) for sides in zip(x.shape[-2:], (height, width), strict=True)
    )
    return x[..., rows[:, None], columns]


def _mirrored(side: int, longer: int, device: torch.device) -> Tensor:
    """Return which of `side` pixels stand in each of `longer` places, back and forth."""
    places = torch.arange(longer, device=device) % max(2 * side - 2, 1)
    return torch.minimum(places, 2 * side - 2 - places) if side > 1 else places
