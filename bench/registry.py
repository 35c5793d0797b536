"""Methods and how they are found: files in `variants/` and `baselines/`, and entry points.

Discovery imports what lies directly in the two packages: `variants/table2.py`, and of a folder its
`__init__.py` (`baselines/pconv/`). Networks live deeper and are imported inside `build`, so that
listing the methods never imports torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal

from bench.core.errors import UserError, unknown

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bench.config import Model
    from bench.training.learner import Learner

Family = Literal["variant", "baseline"]
PACKAGES = ("variants", "baselines")
ENTRY_POINT_GROUP = "lbam_bench.methods"


@dataclass(frozen=True)
class Method:
    """One way to fill holes.

    `build(model)` returns a module whose `forward(image, mask)` takes an image [B,3,H,W] in [0,1]
    and a mask [B,1,H,W] with 1 = known, 0 = hole, and returns the raw output [B,3,H,W] in [0,1].
    """

    name: str
    family: Family
    summary: str
    build: Callable[[Model], nn.Module]
    module: str
    """Where it is defined: its code is part of a run's fingerprint."""
    parameters: Callable[[Model], int]
    """Learnable parameters in closed form: `list` must not build networks."""
    trainable: bool = True
    differs: Mapping[str, Any] = field(default_factory=dict)
    """For a variant: the fields in which it differs from `full`."""
    objective: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `bench.config.Objective` that belong to the method (no adversarial loss, say)."""
    learner: Callable[[], type[Learner]] | None = None
    """What trains it, for a method with an objective or phases of its own; imported when called."""
    views: Callable[[nn.Module, Tensor, Tensor], Mapping[str, Tensor]] | None = None
    """What can be seen inside its network (figures 7 and 8): see `bench.evaluation.album.Views`."""
    load: Callable[[Mapping[str, Tensor]], nn.Module] | None = None
    """For imported weights of foreign layout: state dict to module, in place of `build`."""

    @property
    def classical(self) -> bool:
        """Whether it is an algorithm: nothing to train, no weights to load."""
        return not self.trainable and self.load is None

    @property
    def runnable(self) -> bool:
        """Whether it can be measured without weights from elsewhere."""
        return self.trainable or self.classical


_methods: dict[str, Method] = {}


def register(method: Method) -> Method:
    """Add a method; a name already taken is an error."""
    if method.name in _methods:
        raise UserError(
            f"method '{method.name}' of {method.module} is already defined in "
            f"{_methods[method.name].module}; rename one"
        )
    _methods[method.name] = method
    return method


def discover() -> dict[str, Method]:
    """All methods by name, in the order of their files and definitions."""
    for package in PACKAGES:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            _load(f"{package}.{module.name}")
    for point in entry_points(group=ENTRY_POINT_GROUP):
        _load(point.value.partition(":")[0])
    return dict(_methods)


def _load(module: str) -> None:
    before = set(_methods)
    try:
        importlib.import_module(module)
    except UserError:
        raise
    except Exception as error:
        for name in set(_methods) - before:
            del _methods[name]
        raise UserError(f"{module} cannot be imported: {type(error).__name__}: {error}") from error


def find(name: str, family: Family | None = None) -> Method:
    """The method of that name (and family); an unknown name answers with the nearest ones."""
    methods = {m.name: m for m in discover().values() if family in (None, m.family)}
    if name not in methods:
        raise unknown(family or "method", name, methods)
    return methods[name]
