"""Pictures of a method's filled images, and of the maps inside its network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from bench.core import sums
from bench.core.files import remove, replacing, sweep
from bench.core.run_folder import PairPictures
from bench.data.pairs import FrozenPairs
from bench.evaluation.metrics.pixelwise import quantise
from bench.networks.holes import composite

VIEW_QUANTILE = 0.995
"""Quantile of a map's values from which on they are shown as white."""
THREADS, WAITING = 2, 32
"""Threads that write pictures, and pictures that may wait for them in memory."""
FORMATS: dict[str, dict[str, Any]] = {".webp": {"lossless": True, "quality": 0, "method": 0}}
"""Options of a format by suffix: with these WebP is six times as fast as PNG, and smaller."""
Views = Callable[[nn.Module, Tensor, Tensor], Mapping[str, Tensor]]
"""Function from (network, image [B,3,H,W], mask [B,1,H,W]) to maps [B,h,w] by name."""


class PictureWriter:
    """Threads that write pictures while the program goes on.

    It is a context: at its end all pictures are written, or the first error is raised.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS)
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._threads.shutdown(cancel_futures=kind is not None)
        while kind is None and self._waiting:
            self._waiting.popleft().result()

    def save(self, path: Path, image: Tensor) -> None:
        """Save an image [3,H,W] in [0,1] as `save_picture` does, at some time before the end."""
        if len(self._waiting) == WAITING:  # else they would fill the memory
            self._waiting.popleft().result()
        self._waiting.append(self._threads.submit(_write, path, _pixels(image)))


class Album:
    """The outputs of chosen test pairs, and a network's maps for the first pair of each bucket."""

    def __init__(
        self,
        pictures: PairPictures,
        chosen: frozenset[int],
        writer: PictureWriter,
        views: Views | None = None,
    ) -> None:
        self.pictures, self.chosen, self.writer, self.views = pictures, chosen, writer, views

    def add(self, index: int, image: Tensor, mask: Tensor, raw: Tensor) -> None:
        """Save a pair's output: image and raw output [3,H,W] in [0,1], mask [1,H,W], 1 = known."""
        self.writer.save(self.pictures.file(index, "output"), composite(raw, image, mask))

    def add_views(self, index: int, network: nn.Module, image: Tensor, mask: Tensor) -> None:
        """Save the maps of one pair: image [3,H,W] without its hole, mask [1,H,W]."""
        if self.views is None:
            return
        with torch.inference_mode():
            for name, found in self.views(network, image[None], mask[None]).items():
                file = self.pictures.file(index, name.replace(" ", "-"))
                self.writer.save(file, _scaled(found[0]).expand(3, -1, -1))


def save_inputs(pairs: FrozenPairs, chosen: Collection[int], pictures: PairPictures) -> None:
    """Save the inputs and truths of chosen pairs, as far as no run has saved them before.

    Those that were damaged since are saved again.
    """
    folder = pictures.shared
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):  # another run may be saving them
        sweep(folder)
        try:
            sums.read(folder)
        except sums.DamagedError:  # nothing tells which pictures are as they were
            remove(folder)
            sums.write(folder, ())
        damaged = pictures.damaged_inputs(chosen)
        with PictureWriter() as writer:
            for index in tqdm(damaged, desc="save inputs", unit="img", delay=2):
                image, mask = (x[0].float() for x in pairs.batch([index]))
                truth = image / 255
                writer.save(pictures.file(index, "truth"), truth)
                holed = composite(torch.ones_like(truth), truth, mask)
                writer.save(pictures.file(index, "input"), holed)
        sums.add(folder, (file for index in damaged for file in pictures.inputs(index)))


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
    _write(path, _pixels(image))


def _pixels(image: Tensor) -> NDArray[np.uint8]:
    pixels = quantise(image).permute(1, 2, 0).byte().cpu().numpy()
    return np.ascontiguousarray(pixels)


def _write(path: Path, pixels: NDArray[np.uint8]) -> None:
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, **FORMATS.get(path.suffix, {}))
