"""Plots of records, logs and costs; each is written as PNG, SVG and PDF.

Every function takes a title, which says the preset and the test pairs, and a path whose suffix is
replaced by those three. It returns whether there was something to draw; if not, nothing is written.
"""

from reports.plots.attention import attention_curves
from reports.plots.cost import quality_by_cost
from reports.plots.quality import difference, metric_by_bucket, metric_by_ratio
from reports.plots.ranks import rank_diagram
from reports.plots.training import training_by_method, training_curves

__all__ = [
    "attention_curves",
    "difference",
    "metric_by_bucket",
    "metric_by_ratio",
    "quality_by_cost",
    "rank_diagram",
    "training_by_method",
    "training_curves",
]
