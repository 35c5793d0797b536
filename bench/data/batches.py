"""Training batches by step: the same images, crops and masks for every method and every resume."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bench.core.interrupts import ignore_requests
from bench.core.seeds import rng
from bench.data.masks.source import MaskSource
from bench.data.photos import Photos


@dataclass(frozen=True)
class Batches(Dataset[tuple[Tensor, Tensor]]):
    """Batches by step: images [B,3,S,S] in 0..255 and masks [B,1,S,S] of {0, 1}, all uint8.

    Of several processes, number `rank` gets every `world`-th sample; together they see the batch
    that one process would.
    """

    photos: Photos
    masks: MaskSource
    size: int
    ratio: tuple[float, float]
    batch_size: int
    seed: int
    rank: int = 0
    world: int = 1

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        # Positions, not steps, seed the draws: the batch size does not change what image 17 is.
        first = step * self.batch_size
        positions = range(first + self.rank, first + self.batch_size, self.world)
        images = np.stack([self._image(p) for p in positions])
        masks = np.stack(
            [self.masks.training(self.size, self.ratio, self.seed, p) for p in positions]
        )
        return torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(masks)[:, None]

    def _image(self, position: int) -> np.ndarray:
        """Return a random crop [S,S,3], perhaps flipped, of the photograph at one position.

        Positions run through one shuffled sequence after another, one for each pass over the data.
        """
        epoch, number = divmod(position, len(self.photos))
        photo = self.photos[int(_order(self.seed, epoch, len(self.photos))[number])]
        stream = rng(self.seed, "training crops", position)
        top = stream.integers(photo.shape[0] - self.size + 1)
        left = stream.integers(photo.shape[1] - self.size + 1)
        crop = photo[top : top + self.size, left : left + self.size]
        if stream.random() >= 0.5:
            return crop
        # Left and right alone: photographs have an upper side. By torch, since NumPy copies a
        # mirrored view pixel by pixel, which takes ten times as long.
        return torch.from_numpy(crop.copy()).flip(1).numpy()


def load_batches(
    batches: Batches, steps: range, workers: int, pin_memory: bool = False
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Return an iterable of the batches of `steps`, drawn by worker processes ahead of their use.

    Without workers they are drawn when they are asked for. Pinned memory is copied to a GPU while
    other work goes on.
    """
    return DataLoader(
        batches,
        batch_size=None,  # Each item is a whole batch already.
        sampler=steps,
        num_workers=workers,
        pin_memory=pin_memory,
        persistent_workers=workers > 0,
        worker_init_fn=ignore_requests,
    )


@lru_cache(maxsize=2)  # a batch may span two epochs
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    return rng(seed, "image order", epoch).permutation(count)
