"""Tables of what there is to choose from: methods, image sources, masks, metrics."""

from __future__ import annotations

import logging

from bench.config import Model
from bench.core.errors import UserError
from bench.registry import Method, discover, reference
from reports.tables.markdown import table

log = logging.getLogger(__name__)


def methods() -> str:
    """Return a table of all methods; parameters are those at the paper's size."""
    model = Model()
    rows = [
        [
            method.name,
            method.family,
            method.summary,
            ", ".join(f"{k}={_plain(v)}" for k, v in method.differs.items()) or "-",
            _count(method, model),
        ]
        for method in discover().values()
    ]
    header = ["name", "family", "what it is", f"differs from {reference().name}", "parameters"]
    note = f"Parameters at width {model.width}, depth {model.depth}."
    return f"{table(header, rows)}\n\n{note}"


def images() -> str:
    """Return a table of the image sources, as `--images` and `--test-images` take them."""
    from bench.data.images.source import REGISTRY

    rows = [
        [f"{s.name}:PATH" if s.takes_path == "always" else s.name, s.summary]
        for s in REGISTRY.all().values()
    ]
    return table(["--images", "what it is"], rows)


def masks() -> str:
    """Return a table of drawn masks and mask files, as `--masks` and `--test-masks` take them."""
    from bench.data.masks import family, source

    forms = {"always": "{}:PATH", "optional": "{} or {}:PATH", "never": "{}"}
    drawn = [[f.name, "drawn", f.summary] for f in family.REGISTRY.all().values()]
    files = [
        [forms[s.takes_path].replace("{}", s.name), "files", s.summary]
        for s in source.REGISTRY.all().values()
    ]
    note = "Drawn masks can be mixed: --masks shapes,strokes. Polarity of files: --polarity."
    return f"{table(['--masks', 'kind', 'what it is'], [*drawn, *files])}\n\n{note}"


def metrics() -> str:
    """Return a table of the metrics, and one of the distances between all images at once."""
    from bench.evaluation.distances.table import DISTANCES
    from bench.evaluation.metrics.metric import all_metrics

    rows = [
        [m.name, m.title, m.direction, ", ".join(m.regions), str(m.version)] for m in all_metrics()
    ]
    measured = table(["name", "title", "direction", "regions", "version"], rows)
    whole = [[d.name, d.label, d.direction, f"{d.least:,}"] for d in DISTANCES]
    distances = table(["--distances", "title", "direction", "different images needed"], whole)
    return f"{measured}\n\n{distances}"


def _count(method: Method, model: Model) -> str:
    """Return a method's number of parameters; a dash, and a warning, where it cannot be counted."""
    try:
        return f"{method.count(model):,}"
    except UserError as error:
        log.warning("%s", error)
        return "-"


def _plain(value: object) -> str:
    """Return a field's value as text; a callable by its name."""
    return getattr(value, "__name__", str(value))
