"""The classical algorithms as modules, so that they are measured like networks.

Each fill takes an image [H,W,3], uint8, and its hole [H,W], uint8 with 1 = hole, and returns the
filled image [H,W,3], uint8. None of them can work without a known pixel.
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
"""Function from an image and its hole to the filled image."""
RADIUS = 3
"""Distance in pixels to which OpenCV looks around a hole; half the side of PatchMatch's patches."""
SEED = 0
"""Seed of PatchMatch's random search."""


class PerImage(nn.Module):
    """An algorithm as a network for images [B,3,H,W] in [0,1] and masks [B,1,H,W], 1 = known.

    `forward(image, mask)` returns [B,3,H,W] in [0,1], in whole steps of 1/255. The images of a
    batch are spread over the processor's cores. An image without a known pixel is a `UserError`:
    the libraries would return black, or fail, without a message.
    """

    def __init__(self, model: Model, algorithm: str) -> None:
        super().__init__()
        self.fill = FILLS[algorithm]

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the filled images, on the device and with the type of `image`."""
        # The libraries want each image with its channels last and contiguous, and each hole so too.
        whole = (image.float() * 255).round().clamp(0, 255).byte()
        pixels = whole.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        holes = (mask < 0.5).byte()[:, 0].contiguous().cpu().numpy()
        for number, hole in enumerate(holes):
            if hole.all():
                raise UserError(
                    f"image {number + 1} of {len(holes)} has no known pixel to fill its hole from; "
                    "use masks with a hole ratio below 1"
                )
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            filled = list(pool.map(self.fill, pixels, holes))
        output = torch.from_numpy(np.stack(filled)).permute(0, 3, 1, 2)
        return output.to(image.device, image.dtype) / 255


def mean_colour(image: Pixels, hole: Pixels) -> Pixels:
    """Fill the hole with one colour, the mean of the known pixels."""
    filled = image.copy()
    filled[hole > 0] = image[hole == 0].mean(0).round().astype(np.uint8)
    return filled


def telea(image: Pixels, hole: Pixels) -> Pixels:
    """Fill the hole inwards by fast marching, with weighted means of known pixels (Telea 2004)."""
    import cv2

    return np.asarray(cv2.inpaint(image, hole, RADIUS, cv2.INPAINT_TELEA), np.uint8)


def navier_stokes(image: Pixels, hole: Pixels) -> Pixels:
    """Fill the hole by continuing isophotes as a fluid transports its vorticity.

    This is Navier-Stokes inpainting (Bertalmio, Bertozzi, Sapiro 2001).
    """
    import cv2

    return np.asarray(cv2.inpaint(image, hole, RADIUS, cv2.INPAINT_NS), np.uint8)


def biharmonic(image: Pixels, hole: Pixels) -> Pixels:
    """Fill the hole with the smoothest surface through the known pixels.

    Its bilaplacian is zero in the hole (Chui and Mhaskar 2010).
    """
    from skimage.restoration import inpaint_biharmonic

    filled = inpaint_biharmonic(image / 255, hole, channel_axis=2)
    return np.asarray((filled * 255).round().clip(0, 255), np.uint8)


def patchmatch(image: Pixels, hole: Pixels) -> Pixels:
    """Copy patches from the known part, matched by randomised search (Barnes et al. 2009)."""
    from patchmatch import inpaint, set_random_seed

    set_random_seed(SEED)  # Each filling starts here, so its result depends on the image alone.
    return np.asarray(inpaint(image, hole, patch_size=RADIUS), np.uint8)


FILLS: dict[str, Fill] = {
    "mean-colour": mean_colour,
    "telea": telea,
    "navier-stokes": navier_stokes,
    "biharmonic": biharmonic,
    "patchmatch": patchmatch,
}
"""All fills by the names of their algorithms."""
