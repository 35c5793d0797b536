"""The times of the released code of LBAM's authors, where its clone is given.

Nothing of it is here: https://github.com/Vious/LBAM_Pytorch. Each time is taken in a process of its
own, with the settings of this one. Two things are changed from outside to make it run: VGG-16 has
random weights, and its critic is updated after the generator, since a current torch refuses to go
back through weights that were changed meanwhile.
"""

from __future__ import annotations

import importlib
import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from bench.core import device
from bench.core.errors import UserError
from bench.profiling import samples
from bench.profiling.timing import STEPS_TO_WARM_UP, median

FILES = ("models/LBAMModel.py", "loss/InpaintingLoss.py")
"""Files that make a folder the released code."""


def check(folder: Path) -> None:
    """Raise a `UserError` for a folder that is not a clone of the released code."""
    for file in FILES:
        if not (folder / file).is_file():
            raise UserError(
                f"--released {folder}: no file {file}; give a clone of "
                "https://github.com/Vious/LBAM_Pytorch"
            )


def step_seconds(folder: Path, repeats: int, batch: int) -> float:
    """Return the median seconds of its training step at 256 pixels, in fp32."""
    return _apart(_step_seconds, folder, repeats, batch)


def filling_seconds(folder: Path, repeats: int, batch: int) -> float:
    """Return the median seconds of its filling of some images of 256 pixels, in fp32."""
    return _apart(_filling_seconds, folder, repeats, batch)


def _apart(work: Callable[..., float], *arguments: Any) -> float:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def _step_seconds(folder: Path, repeats: int, batch: int) -> float:
    where = _set_up(folder)
    generator = _import("models.LBAMModel").LBAMModel(4, 3).to(where)
    extractor = _import("models.LBAMModel").VGG16FeatureExtractor()
    loss = _import("loss.InpaintingLoss").InpaintingLossWithGAN(
        "", extractor, Lamda=10.0, lr=1e-5, betasInit=(0.0, 0.9)
    ).to(where)  # fmt: skip
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-4, betas=(0.5, 0.9))
    update_critic = loss.D_optimizer.step
    loss.D_optimizer.step = lambda: None
    image, holed, mask = _inputs(batch)

    def step() -> None:
        generator.zero_grad()
        total = loss(holed[:, :3], mask, generator(holed, mask), image, 0, 0)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        update_critic()

    return median(step, repeats, STEPS_TO_WARM_UP)


def _filling_seconds(folder: Path, repeats: int, batch: int) -> float:
    where = _set_up(folder)
    generator = _import("models.LBAMModel").LBAMModel(4, 3).to(where).eval()
    _, holed, mask = _inputs(batch)
    with torch.inference_mode():
        return median(lambda: generator(holed, mask), repeats)


def _inputs(batch: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return images [B,3,256,256], holed images with the mask as fourth channel, and masks."""
    image, mask = (x.contiguous() for x in samples.inputs(batch, 256))
    mask = mask.expand(-1, 3, -1, -1).contiguous()
    return image, torch.cat([image * mask, mask[:, :1]], 1), mask


def _set_up(folder: Path) -> torch.device:
    """Make the code importable in this process; return the device to time it on."""
    from torchvision.models import vgg16

    device.tune_cpu()
    sys.path.insert(0, str(folder))
    board = ModuleType("tensorboardX")  # its log is not part of the time
    board.SummaryWriter = _NoLog  # type: ignore[attr-defined]
    sys.modules["tensorboardX"] = board
    torch.load = lambda *_, **__: vgg16(weights=None).state_dict()
    return device.choose("auto")


class _NoLog:
    def __init__(self, *_: object) -> None:
        pass

    def add_scalar(self, *_: object) -> None:
        """Write nothing."""


def _import(name: str) -> Any:
    return importlib.import_module(name)
