"""The probe of a model file: one picture tells of conventions that cannot be right.

A model that hands the known pixels back as they were given tells, where they come out otherwise,
which convention would be right. One that changes them tells nothing, and is taken as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from bench.core.errors import UserError
from bench.core.seeds import torch_rng
from bench.foreign.convention import Convention, Values, key_of

Run = Callable[[Tensor, Tensor, Convention], Tensor]
SIDE = 256
"""Side of the picture for a model that takes any, pixels."""
OUTSIDE = 0.25
"""How far outputs may lie outside [0,1]: a network without a last bound overshoots a little."""
KEPT = 0.1
"""Root of the mean squared error of known pixels, in [0,1], up to which they are handed back. The
channels and the negative of the picture differ by three times as much."""
RANGES = (Values(0, 1), Values(-1, 1), Values(0, 255))
"""Ranges of values that models have."""


def probe(
    names: Sequence[str], convention: Convention, run: Run, sides: tuple[int, int] | None
) -> None:
    """Raise a `UserError` for a model whose output cannot be right under a convention.

    `names` are those of its inputs, `run` returns its output [1,3,H,W], and `sides` are height and
    width that it takes, pixels.
    """
    _check_inputs(names, convention)
    image, mask = example(*(sides or (SIDE, SIDE)))
    with torch.inference_mode():
        output = run(image * mask, mask, convention)
        if not output.isfinite().all():
            raise UserError("its output is not finite everywhere")
        if _error(output, image, mask) <= KEPT:
            return
        for other in _others(convention):
            if _error(_again(run, image, mask, output, convention, other), image, mask) <= KEPT:
                raise UserError(
                    f"its known pixels are not those of the picture, and would be with "
                    f"{_stated(convention, other)}"
                )
        if _error(1 - output, image, mask) <= KEPT:
            raise UserError("its output is the negative of the picture")
    low, high = float(output.min()), float(output.max())
    if low < -OUTSIDE or high > 1 + OUTSIDE:
        raise UserError(
            f"its output lies in [{low:.3g}, {high:.3g}] where [0, 1] is meant, with "
            f"output-range={convention.output_range}; state the right one"
        )


def example(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return a colourful picture [1,3,H,W] in [0,1] and its mask [1,1,H,W], 1 = known."""
    coarse = torch.rand(1, 3, 8, 8, generator=torch_rng(0, "probe")).round()
    image = interpolate(coarse, size=(height, width), mode="bilinear", align_corners=True)
    mask = torch.ones(1, 1, height, width)
    mask[..., height // 4 : height // 2, width // 3 : 2 * width // 3] = 0
    return image, mask


def _check_inputs(names: Sequence[str], convention: Convention) -> None:
    """Raise a `UserError` for another number of inputs, or for names in the other order."""
    wanted = convention.inputs
    if len(names) != len(wanted):
        raise UserError(
            f"its inputs are {', '.join(names) or 'none'}, and order={convention.order} gives "
            f"{len(wanted)}; an image and a mask can be given, or both joined by order=image+mask"
        )
    masks = ["mask" in name.lower() for name in names]
    if len(names) == 2 and masks in ([True, False], [False, True]):
        right = "mask-image" if masks[0] else "image-mask"
        if convention.order != right:
            raise UserError(f"its inputs are called {', '.join(names)}; state order={right}")


def _others(convention: Convention) -> Iterator[Convention]:
    """Yield the conventions that differ from one in what is mistaken most."""
    black = convention.polarity == "hole-black"
    yield replace(convention, polarity="hole-white" if black else "hole-black")
    rgb = convention.output_colours == "rgb"
    yield replace(convention, output_colours="bgr" if rgb else "rgb")
    for values in RANGES:
        if values[:2] != convention.output_range[:2]:
            yield replace(convention, output_range=values)


def _again(
    run: Run, image: Tensor, mask: Tensor, output: Tensor, stated: Convention, other: Convention
) -> Tensor:
    """Return the output under another convention; the model runs again for another mask alone."""
    if other.polarity != stated.polarity:
        return run(image * mask, mask, other)
    if other.output_colours != stated.output_colours:
        return output.flip(1)
    low, high, _ = stated.output_range
    return other.output_range.decode(low + (high - low) * output)


def _error(output: Tensor, image: Tensor, mask: Tensor) -> float:
    """Return the root of the mean squared error of the known pixels."""
    known = (mask > 0.5).expand_as(image)
    return float((output - image)[known].square().mean().sqrt())


def _stated(convention: Convention, other: Convention) -> str:
    """Return the option that makes one convention another."""
    name = next(
        name
        for name in ("polarity", "output_colours", "output_range")
        if getattr(convention, name) != getattr(other, name)
    )
    return f"{key_of(name)}={getattr(other, name)}"
