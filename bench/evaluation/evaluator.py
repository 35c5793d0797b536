"""Runs a network over the test pairs and writes down what it measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from bench.config import Evaluation
from bench.data.manifest import TestPairs
from bench.evaluation import metrics, perceptual_distance
from bench.evaluation.perceptual_distance import MissingWeightsError
from bench.files import replacing
from bench.layers import composite, place

Measured = dict[tuple[str, str], Tensor]


class Evaluator:
    """Measures networks on the same pairs, with the same metrics.

    Networks run in float32, so that numbers do not depend on a device's bf16 units.
    """

    def __init__(self, pairs: TestPairs, settings: Evaluation, device: torch.device) -> None:
        self.pairs, self.settings, self.device = pairs, settings, device
        self.lpips_name = f"lpips_{settings.lpips}" if settings.lpips != "off" else "lpips"
        self.lpips, self.lpips_missing = self._lpips()

    def _lpips(self) -> tuple[nn.Module | None, str]:
        file = Path(self.settings.lpips_weights) if self.settings.lpips_weights else None
        try:
            model = perceptual_distance.build(self.settings.lpips, file, self.settings.download)
        except MissingWeightsError as error:
            return None, str(error)
        return model.to(self.device), ""

    def records(
        self,
        network: nn.Module,
        name: str,
        identity: Mapping[str, str | int],
        pictures: Path | None = None,
        at_once: int | None = None,
    ) -> pd.DataFrame:
        """One row per pair, metric and region; `at_once` pairs a pass, else as the settings say.

        `identity` fills the columns that are the same for all rows (family, method, seed,
        fingerprint); with `pictures`, input, output and truth of each bucket's first pairs are
        saved there.
        """
        rows = []
        for indices, image, mask, raw, seconds in self._filled(
            network, name, at_once or self.settings.eval_batch
        ):
            measured = metrics.measure(raw, image, mask) | self._distance(raw, image, mask)
            for row, index in enumerate(indices):
                pair = asdict(self.pairs.manifest.pairs[index]) | {"pair": index}
                for (metric, region), values in measured.items():
                    rows.append(
                        pair
                        | {"metric": metric, "region": region, "value": values[row].item()}
                        | {"note": self.lpips_missing if metric == self.lpips_name else ""}
                        | {"seconds": seconds}
                    )
                if pictures is not None:
                    self._save(pictures, index, image[row], mask[row], raw[row])
        return pd.DataFrame(rows).assign(
            metric_version=metrics.VERSION, manifest=self.pairs.manifest.hash, **identity
        )

    def _filled(
        self, network: nn.Module, name: str, size: int
    ) -> Iterator[tuple[list[int], Tensor, Tensor, Tensor, float]]:
        """Indices, image, mask and raw output of each batch, and seconds per image."""
        network = place(network, self.device).eval()
        with tqdm(total=len(self.pairs), desc=f"evaluate {name}", unit="img") as bar:
            for first in range(0, len(self.pairs), size):
                indices = list(range(first, min(first + size, len(self.pairs))))
                images, masks = (x.to(self.device) for x in self.pairs.batch(indices))
                image, mask = images.float() / 255, masks.float()
                # Holes are blanked here: no method may see what it is asked for.
                raw, seconds = _timed(network, image * mask, mask)
                yield indices, image, mask, raw, seconds / len(indices)
                bar.update(len(indices))

    def _distance(self, raw: Tensor, image: Tensor, mask: Tensor) -> Measured:
        if self.lpips is None:
            nothing = torch.full((len(raw),), torch.nan)
            return {(self.lpips_name, region): nothing for region in ("composite", "raw")}
        output, target = metrics.quantise(raw), metrics.quantise(image)
        with torch.no_grad():
            return {
                (self.lpips_name, region): perceptual_distance.distance(self.lpips, picture, target)
                for region, picture in (
                    ("composite", composite(output, target, mask)),
                    ("raw", output),
                )
            }

    def _save(self, folder: Path, index: int, image: Tensor, mask: Tensor, raw: Tensor) -> None:
        bucket = self.pairs.manifest.pairs[index].bucket
        first = next(i for i, p in enumerate(self.pairs.manifest.pairs) if p.bucket == bucket)
        if index - first >= PICTURES_PER_BUCKET:
            return
        save_picture(
            folder / f"{index:05d}_input.png", composite(torch.ones_like(image), image, mask)
        )
        save_picture(folder / f"{index:05d}_output.png", composite(raw, image, mask))
        save_picture(folder / f"{index:05d}_truth.png", image)


PICTURES_PER_BUCKET = 2


def save_picture(path: Path, image: Tensor) -> None:
    """Save [3,H,W] in [0,1] as an 8-bit picture."""
    pixels = metrics.quantise(image).permute(1, 2, 0).byte().cpu().numpy()
    with replacing(path) as temporary:
        Image.fromarray(np.ascontiguousarray(pixels)).save(temporary)


def mean_psnr(network: nn.Module, pairs: TestPairs, device: torch.device, batch: int) -> float:
    """Mean composite PSNR over the pairs, in dB: the number of validation curves."""
    was_training = network.training
    network.eval()
    values = []
    for first in range(0, len(pairs), batch):
        chosen = range(first, min(first + batch, len(pairs)))
        images, masks = (x.to(device) for x in pairs.batch(chosen))
        image, mask = images.float() / 255, masks.float()
        with torch.inference_mode():
            raw = network(image, mask)
        values.append(metrics.measure(raw, image, mask)["psnr", "composite"])
    network.train(was_training)
    psnr = torch.cat(values)
    return float(psnr[psnr.isfinite()].mean())


def _timed(network: Callable[[Tensor, Tensor], Tensor], *inputs: Tensor) -> tuple[Tensor, float]:
    """The network's output and the seconds it took, the device's queue waited for."""
    start = time.perf_counter()
    # Full float32 on every device: TF32 would make a GPU's numbers differ from a CPU's.
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        output = network(*inputs)
    if output.is_cuda:
        torch.cuda.synchronize()
    return output, time.perf_counter() - start
