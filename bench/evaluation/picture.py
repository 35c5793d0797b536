"""Functions that fill one picture of a user, of any size from 16 pixels up, and check its mask."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from bench.core.device import has_bf16_units
from bench.core.errors import UserError
from bench.data.masks.buckets import Mask, hole_ratio
from bench.data.masks.polarity import Polarity, read_mask, warn_if_mostly_hole
from bench.evaluation.crops import SMALLEST, fill_holes
from bench.evaluation.fill import fill
from bench.networks.compiled import Compiled
from bench.networks.layers import to_device

OTHER: dict[Polarity, Polarity] = {"hole-white": "hole-black", "hole-black": "hole-white"}
"""The polarity that a mask was perhaps meant to be read with."""


def read_known(
    mask_file: Path, polarity: Polarity, image_file: Path, shape: tuple[int, ...]
) -> Mask:
    """Read the mask [H,W], 1 = known, of an image whose shape begins with H and W.

    `polarity` says which colour the hole has in the mask file. Another size than the image's is a
    `UserError`, as is what `refuse` refuses.
    """
    mask, (height, width) = read_mask(mask_file, polarity), shape[:2]
    if mask.shape != (height, width):
        raise UserError(
            f"{mask_file} is {mask.shape[1]}x{mask.shape[0]} but {image_file} is {width}x{height}; "
            "they must be of one size"
        )
    refuse(mask, str(image_file), str(mask_file), polarity)
    return mask


def check(mask: Mask, image_name: str, mask_name: str, polarity: Polarity) -> None:
    """Refuse a mask [H,W], 1 = known, as `refuse` does, and warn of one that is mostly hole."""
    refuse(mask, image_name, mask_name, polarity)
    warn_if_mostly_hole(hole_ratio(mask), mask_name, polarity)


def refuse(mask: Mask, image_name: str, mask_name: str, polarity: Polarity) -> None:
    """Raise a `UserError` for a mask [H,W], 1 = known, that is too small, all hole or all known.

    `polarity` says how it was read.
    """
    if min(mask.shape) < SMALLEST:
        raise UserError(f"{image_name} is smaller than {SMALLEST} pixels on a side")
    ratio = hole_ratio(mask)
    if ratio in (0.0, 1.0):
        what = "no hole" if ratio == 0.0 else "no known pixel"
        raise UserError(
            f"{mask_name} has {what} as {polarity}; check it, or use --polarity {OTHER[polarity]}"
        )


class Filler:
    """A network that is ready to fill pictures of any size.

    It runs in bf16, weights included, where the device has units for it.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        """Move the network, not a copy, to the device and precision, and into evaluation mode."""
        self.device = device
        self.dtype = torch.bfloat16 if has_bf16_units(device) else torch.float32
        self.network = to_device(network, device).to(self.dtype).eval()
        self.compiled: tuple[torch.Size, nn.Module] | None = None

    @property
    def has_weights(self) -> bool:
        """Whether there is anything to compile: an algorithm has no weights."""
        return next(self.network.parameters(), None) is not None

    def compile(self, height: int, width: int) -> None:
        """Compile the network for pictures of a size; what prevents this is a `UserError`."""
        image, mask = torch.zeros(1, 3, height, width), torch.zeros(1, 1, height, width)
        compiled = Compiled(self.network, batch=1)
        self._run(compiled, image, mask)  # now, and not in the middle of the first picture
        self.compiled = image.shape[-2:], compiled

    def __call__(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill the hole of an image [B,3,H,W] in [0,1] in place, and return it.

        The mask is [B,1,H,W] with 1 = known; both lie on the CPU. Known pixels stay bit for bit as
        they are. A large picture is filled in crops, see `bench.evaluation.crops`.
        """
        return fill_holes(self._fill, image, mask)

    def _fill(self, image: Tensor, mask: Tensor) -> Tensor:
        if self.compiled is not None and image.shape[-2:] == self.compiled[0]:
            return self._run(self.compiled[1], image, mask)
        return self._run(self.network, image, mask)

    def _run(self, network: nn.Module, image: Tensor, mask: Tensor) -> Tensor:
        inputs = (x.to(self.device, self.dtype) for x in (image, mask))
        return fill(network, *inputs).float().cpu()


def fill_picture(network: nn.Module, image: Tensor, mask: Tensor, device: torch.device) -> Tensor:
    """Return the image [B,3,H,W] in [0,1] with its hole filled, as a `Filler` fills it.

    The mask is [B,1,H,W] with 1 = known. All three lie on the CPU.
    """
    return Filler(network, device)(image.clone(), mask)
