"""The classical algorithms as modules, so that they are measured as networks are.

Each fill takes an image [H,W,3], uint8, and its hole [H,W], uint8 with 1 = hole, and returns the
filled image [H,W,3], uint8. None of them can work where nothing is known.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.config import Model
from bench.core.errors import UserError

Pixels = NDArray[np.uint8]
Fill = Callable[[Pixels, Pixels], Pixels]
RADIUS = 3
"""Pixels around a hole's border that OpenCV looks at, and half the side of PatchMatch's patches."""
SEED = 0
"""Of PatchMatch's random search."""


class PerImage(nn.Module):
    """An algorithm as a network: images [B,3,H,W] in [0,1] and masks [B,1,H,W], 1 = known.

    Returns [B,3,H,W] in [0,1], in whole steps of 1/255. The images of a batch are spread over the
    processor's cores. An image of which no pixel is known is a `UserError`: the libraries would
    return black, or fail, without a word.
    """

    def __init__(self, model: Model, algorithm: str) -> None:
        super().__init__()
        self.fill = FILLS[algorithm]

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """The filled images, on the device of `image`."""
        pixels = (image.float() * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1)
        holes = (mask < 0.5).byte()[:, 0]
        for number, hole in enumerate(holes):
            if hole.all():
                raise UserError(
                    f"image {number + 1} of {len(holes)} has no known pixel to fill its hole from; "
                    "use masks with a hole ratio below 1"
                )
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            filled = list(pool.map(self._one, pixels.cpu().numpy(), holes.cpu().numpy()))
        output = torch.from_numpy(np.stack(filled)).permute(0, 3, 1, 2)
        return output.to(image.device, image.dtype) / 255

    def _one(self, pixels: Pixels, hole: Pixels) -> Pixels:
        return self.fill(np.ascontiguousarray(pixels), np.ascontiguousarray(hole))


def mean_colour(image: Pixels, hole: Pixels) -> Pixels:
    """One colour for the hole: the mean of the known pixels."""
    filled = image.copy()
    filled[hole > 0] = image[hole == 0].mean(0).round().astype(np.uint8)
    return filled


def telea(image: Pixels, hole: Pixels) -> Pixels:
    """Fast marching inwards, weighted means of what is known (Telea 2004)."""
    import cv2

    return np.asarray(cv2.inpaint(image, hole, RADIUS, cv2.INPAINT_TELEA), np.uint8)


def navier_stokes(image: Pixels, hole: Pixels) -> Pixels:
    """Isophotes carried on as the vorticity of a fluid is (Bertalmio, Bertozzi, Sapiro 2001)."""
    import cv2

    return np.asarray(cv2.inpaint(image, hole, RADIUS, cv2.INPAINT_NS), np.uint8)


def biharmonic(image: Pixels, hole: Pixels) -> Pixels:
    """The smoothest surface through the known pixels: the bilaplacian is zero in the hole."""
    from skimage.restoration import inpaint_biharmonic

    filled = inpaint_biharmonic(image / 255, hole, channel_axis=2)
    return np.asarray((filled * 255).round().clip(0, 255), np.uint8)


def patchmatch(image: Pixels, hole: Pixels) -> Pixels:
    """Patches copied from the known part, matched by randomised search (Barnes et al. 2009)."""
    from patchmatch import inpaint, set_random_seed

    set_random_seed(SEED)  # each filling starts from it: the result depends on the image alone
    return np.asarray(inpaint(image, hole, patch_size=RADIUS), np.uint8)


FILLS: dict[str, Fill] = {
    "mean-colour": mean_colour,
    "telea": telea,
    "navier-stokes": navier_stokes,
    "biharmonic": biharmonic,
    "patchmatch": patchmatch,
}
