"""A stub in the place of Inception, and minimal numbers of images that tests can reach."""

from functools import partial

import pytest
import torch
from torch import Tensor

from bench.evaluation.distances import formulas, inception, measure


class Stub:
    """Features [B,12]: the means of the quarters of an image, by colour. It keeps what it sees."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def __call__(self, images: Tensor) -> Tensor:
        assert images.dtype == torch.uint8
        self.seen.append(images.cpu())
        means: Tensor = torch.nn.functional.adaptive_avg_pool2d(images.float(), 2)
        return means.flatten(1).cpu()

    @property
    def images(self) -> Tensor:
        return torch.cat(self.seen)


def stub_for_inception(monkeypatch: pytest.MonkeyPatch) -> Stub:
    made = Stub()
    monkeypatch.setattr(inception, "load", lambda *_: inception.Features(made, "5b5b"))
    return made


def let_few_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make three images enough for each distance."""
    monkeypatch.setattr(measure, "LEAST", dict.fromkeys(measure.LEAST, 3))
    monkeypatch.setitem(measure.FORMULAS, ("kid",), partial(formulas.kid, size=3))
