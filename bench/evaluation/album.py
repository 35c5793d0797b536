"""Pictures of a method's filled images, and of the maps inside its network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from bench.core.files import replacing
from bench.core.run_folder import PairPictures
from bench.evaluation.metrics.pixelwise import quantise
from bench.networks.holes import composite

VIEW_QUANTILE = 0.995
"""Quantile of a map's values from which on they are shown as white."""
Views = Callable[[nn.Module, Tensor, Tensor], Mapping[str, Tensor]]
"""Function from (network, image [B,3,H,W], mask [B,1,H,W]) to maps [B,h,w] by name."""


@dataclass(frozen=True)
class Album:
    """The pictures of all test pairs (input, output and truth), and the maps of some."""

    pictures: PairPictures
    views: Views | None = None
    """Function whose maps (`mask encoder 1`) are saved for the first pair of each bucket."""

    def add(self, index: int, image: Tensor, mask: Tensor, raw: Tensor) -> None:
        """Save one pair: image and raw output [3,H,W] in [0,1], mask [1,H,W]; holes are white."""
        save_picture(
            self.pictures.file(index, "input"), composite(torch.ones_like(image), image, mask)
        )
        save_picture(self.pictures.file(index, "output"), composite(raw, image, mask))
        save_picture(self.pictures.file(index, "truth"), image)

    def add_views(self, index: int, network: nn.Module, image: Tensor, mask: Tensor) -> None:
        """Save the maps of one pair: image [3,H,W] without its hole, mask [1,H,W]."""
        if self.views is None:
            return
        with torch.inference_mode():
            for name, found in self.views(network, image[None], mask[None]).items():
                file = self.pictures.file(index, name.replace(" ", "-"))
                save_picture(file, _scaled(found[0]).expand(3, -1, -1))


def _scaled(view: Tensor) -> Tensor:
    """Scale a map [h,w] so that its VIEW_QUANTILE becomes 1.

    Each map has its own scale, since layers have none in common. A few outliers do not darken it.
    """
    top = view.quantile(VIEW_QUANTILE)
    # A map that is zero nearly everywhere has the quantile 0.
    top = top if top > 0 else view.max()
    return view / top.clamp_min(torch.finfo(view.dtype).tiny)


def save_picture(path: Path, image: Tensor) -> None:
    """Save an image [3,H,W] in [0,1] with 8 bits; the suffix chooses the format."""
    pixels = quantise(image).permute(1, 2, 0).byte().cpu().numpy()
    with replacing(path) as temporary:
        Image.fromarray(np.ascontiguousarray(pixels)).save(temporary)
