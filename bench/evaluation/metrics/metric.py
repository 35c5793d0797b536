"""The definition of a metric, and the registry of all metrics; it imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bench.core.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from bench.config import Evaluation

Region = Literal["composite", "raw", "hole"]
"""Pixels that a metric compares: the composite (known pixels kept), the raw output, or the hole."""

MetricFunction = Callable[..., "Tensor"]
"""Function `(output, target, hole=None)` that returns one number per image, [B], float64."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number that compares a filled image with the true one.

    The evaluator, tables, plots and page take all that they know about a metric from here.
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
    margin: float = 0.0
    """Difference up to which two methods count as equal, in the metric's unit; 0: never."""
    order: int = 100
    """Place among the tables; lower numbers come first."""
    headline: bool = True
    """Whether tables, plots and page show the metric; records hold it in any case."""
    regions: tuple[Region, ...] = ("composite", "raw")
    input_range: tuple[float, float] = (0.0, 255.0)
    """Values that black and white have in the images that `function` gets."""
    version: int = 1
    """Version, stored with every record; raise it when the definition changes."""
    load: Callable[[Evaluation, torch.device], MetricFunction]
    """Function that returns the function that measures, with its weights if it has any.

    It raises `MissingWeightsError` where weights are not available. See `metric`."""
    wanted: Callable[[Evaluation], bool] = lambda settings: True
    """Function that returns whether the settings ask for the metric."""

    @property
    def title(self) -> str:
        """Label and unit, such as `PSNR, dB`."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    @property
    def direction(self) -> str:
        """The text `higher is better` or `lower is better`."""
        return f"{'higher' if self.higher_is_better else 'lower'} is better"


REGISTRY: Registry[Metric] = Registry("metric", ["bench.evaluation.metrics"], "lbam_bench.metrics")


def metric(name: str, **fields: Any) -> Callable[[MetricFunction], MetricFunction]:
    """Define a metric by the function that measures it; `fields` are those of `Metric`.

    The function gets output and target [B,3,H,W], rounded to 8 bits and scaled to `input_range`.
    For the region `hole` it also gets the hole [B,1,H,W], 1 = count this pixel. The evaluator calls
    it for every batch and region. With `headline=False` a metric is in the records alone. This
    file, `bench/evaluation/metrics/rmse.py`, adds a metric to records, tables, plots and page:

        from bench.evaluation.metrics.metric import metric
        from bench.evaluation.metrics.pixelwise import mean_over

        @metric("rmse", label="RMSE", unit="levels", higher_is_better=False, digits=1)
        def rmse(output, target, hole=None):
            return mean_over((output - target).square(), hole).sqrt()
    """

    def define(function: MetricFunction) -> MetricFunction:
        REGISTRY.add(name, Metric(name=name, load=lambda settings, device: function, **fields))
        return function

    return define


def all_metrics() -> list[Metric]:
    """Return all metrics, headline or not, in the order of the tables."""
    return sorted(REGISTRY.all().values(), key=lambda found: found.order)


def headline_metrics() -> list[Metric]:
    """Return the metrics that tables, plots and page show, in their order."""
    return [found for found in all_metrics() if found.headline]


def find(name: str) -> Metric:
    """Return the metric of a name; an unknown name is a `UserError` with similar names."""
    return REGISTRY.find(name)
