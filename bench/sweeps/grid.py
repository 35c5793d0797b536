"""The grid of a sweep: every method under every combination of axis values and seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from bench.config import Config, identity, override
from bench.core.errors import UserError
from bench.foreign.method import find
from bench.registry import Method, TrainedNetwork
from bench.runs.case import Case

Options = Mapping[str, Any]
"""Values of options of the config, by name."""


@dataclass(frozen=True)
class Grid:
    """The values that vary in a sweep, and the options that belong to some of its runs alone.

    An option is taken from `typed`, else from its method, else from the axes, else from the config
    that all runs start with.
    """

    seeds: tuple[int, ...]
    axes: Mapping[str, Mapping[str, Options]] = field(default_factory=dict)
    """Options by axis and by name of a value, such as `{"set": {"paris": {"images": "paris"}}}`."""
    methods: Mapping[str, Options] = field(default_factory=dict)
    """Options by name of a method, or by the text that describes one."""
    typed: Options = field(default_factory=dict)
    """Options that were given on the command line, which no file overrides."""

    def cases(
        self, methods: Sequence[Method], start: Config, root: Path, name: str
    ) -> tuple[Case, ...]:
        """Return the cases of all methods: axis by axis and seed by seed, methods innermost.

        The tag of a case is `name` and the names of its axis values. Each gets the options that
        concern its method. An algorithm has one case for all values and seeds that change nothing
        for it. Trained methods whose cases differ in nothing, and options for an unknown method,
        are a `UserError`.
        """
        # Found first: a name with a mistake in it would have no effect.
        own_options = {find(named).name: own for named, own in self.methods.items()}
        found: dict[Any, Case] = {}
        for (tags, options), seed, method in product(self._points(), self.seeds, methods):
            own = own_options.get(method.name, {})
            config = override(start, {**options, **own, "seed": seed, **self.typed})
            tag = "-".join(filter(None, [name, *tags]))
            case = Case(method, method.relevant(config), root, tag)
            first = found.setdefault(_what_counts(case), case)
            if first is not case and isinstance(method, TrainedNetwork):
                raise UserError(
                    f"{first.run.name} and {case.run.name} would be the same run: the options of "
                    f"an axis change nothing for {method.name}; leave one of its values out"
                )
        return tuple(found.values())

    def _points(self) -> Iterator[tuple[list[str], dict[str, Any]]]:
        """Yield the combinations of axis values: their names, and their options together."""
        for values in product(*(axis.items() for axis in self.axes.values())):
            options: dict[str, Any] = {}
            for _, of_value in values:
                options |= of_value
            yield [name for name, _ in values], options


def _what_counts(case: Case) -> tuple[Any, ...]:
    """Return what tells a case from others: an algorithm gives the same under any seed."""
    config = case.config
    if not isinstance(case.method, TrainedNetwork):
        config = replace(config, training=replace(config.training, seed=0))
    return case.method.name, config.data.data_root, repr(identity(config)), config.data.manifest
