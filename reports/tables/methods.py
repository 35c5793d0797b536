"""The list of methods."""

from __future__ import annotations

from collections.abc import Iterable

from bench.config import Model
from bench.registry import Method
from reports.tables.markdown import table


def method_list(methods: Iterable[Method], model: Model) -> str:
    """A table of all methods; parameters are those at the paper's size."""
    rows = [
        [
            method.name,
            method.family,
            method.summary,
            ", ".join(f"{k}={_value(v)}" for k, v in method.differs.items()) or "-",
            f"{method.parameters(model):,}",
        ]
        for method in methods
    ]
    note = f"Parameters at width {model.width}, depth {model.depth}."
    header = ["name", "family", "what it is", "differs from full", "parameters"]
    return f"{table(header, rows)}\n\n{note}"


def _value(value: object) -> str:
    return getattr(value, "__name__", str(value))
