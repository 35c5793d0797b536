"""The definition of a metric, and the registry of all metrics. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bench.core.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from bench.config import Evaluation

Region = Literal["composite", "raw", "hole"]
"""Pixels that a metric looks at: the composite (known pixels kept), the raw output, or the hole."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number that compares a filled image with the true one.

    Evaluator, tables, plots and page take all that they know of a metric from here.
    """

    name: str
    """Name in records and files, such as `l1_percent`."""
    label: str
    """Name in tables and plots, such as `mean L1`."""
    unit: str = ""
    """Unit in tables and plots, such as `%`."""
    higher_is_better: bool
    digits: int = 3
    """Digits after the decimal point in tables."""
    order: int = 100
    """Place among the tables: lower comes first."""
    regions: tuple[Region, ...] = ("composite", "raw")
    input_range: tuple[float, float] = (0.0, 255.0)
    """Values that black and white have in the images that `function` gets."""
    version: int = 1
    """Stored with every record; raise it when the definition changes."""
    load: Callable[[Evaluation, torch.device], Callable[..., Tensor]]
    """Return the function that measures, with its weights if it has any; see `metric`.

    Raises `MissingWeightsError` where weights cannot be had."""
    wanted: Callable[[Evaluation], bool] = lambda settings: True
    """Whether the settings ask for the metric."""

    @property
    def title(self) -> str:
        """Label and unit, such as `PSNR, dB`."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    @property
    def direction(self) -> str:
        """`higher is better` or `lower is better`."""
        return f"{'higher' if self.higher_is_better else 'lower'} is better"


class MissingWeightsError(Exception):
    """A metric cannot be measured here; the text says why and how it could be."""


REGISTRY: Registry[Metric] = Registry("metric", ["bench.evaluation.metrics"], "lbam_bench.metrics")


def all_metrics() -> list[Metric]:
    """Return all metrics, in the order of tables."""
    return sorted(REGISTRY.all().values(), key=lambda metric: metric.order)


def find(name: str) -> Metric:
    """Return the metric of that name; an unknown name is a `UserError` with the nearest names."""
    return REGISTRY.find(name)
