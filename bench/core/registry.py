"""The registry: definitions by name, found by importing the modules of some packages."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from bench.core.errors import UserError, unknown

log = logging.getLogger(__name__)
Item = TypeVar("Item")


class Registry(Generic[Item]):
    """Definitions of one kind, such as methods or metrics, by name.

    A module defines something by calling `add` when it is imported. Two kinds of modules are
    imported when the registry is first asked. The first are those that lie directly in `packages`;
    for a folder, that is its `__init__.py`. The second are those that installed packages name by
    entry points of the group `group`. So adding a definition means adding a file, and no list is
    edited. A module that cannot be imported causes a warning, and its failure is part of the error
    about an unknown name, since the name may be defined in it.
    """

    def __init__(self, kind: str, packages: Sequence[str], group: str) -> None:
        self.kind, self.packages, self.group = kind, packages, group
        self._items: dict[str, Item] = {}
        self._modules: dict[str, str] = {}
        self._broken: dict[str, str] = {}

    def add(self, name: str, item: Item) -> Item:
        """Add a definition and return it; a name that is taken is a `UserError`."""
        module = _module_in_work()
        if name in self._items:
            raise UserError(
                f"{self.kind} '{name}' of {module} is already defined in {self._modules[name]}; "
                "rename one"
            )
        self._items[name], self._modules[name] = item, module
        return item

    def all(self) -> dict[str, Item]:
        """Return all definitions by name, in the order of their modules and lines."""
        for package in self.packages:
            for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
                self._load(f"{package}.{module.name}")
        for point in entry_points(group=self.group):
            self._load(point.value.partition(":")[0])
        return dict(self._items)

    def find(self, name: str) -> Item:
        """Return the definition of a name; an unknown one is a `UserError` with similar names."""
        found = self.all()
        if name not in found:
            raise self.unknown(name, found)
        return found[name]

    def module(self, name: str) -> str:
        """Return the module that defined a name, for the fingerprint of what uses it."""
        self.find(name)
        return self._modules[name]

    def unknown(self, name: str, among: Iterable[str], kind: str | None = None) -> UserError:
        """Return the error for an unknown name; it also lists the modules that failed."""
        error = unknown(kind or self.kind, name, among)
        broken = "".join(f"; {module} {problem}" for module, problem in self._broken.items())
        return UserError(f"{error}{broken}")

    def _load(self, module: str) -> None:
        """Import a module once; remove its definitions if it fails halfway."""
        if module in self._broken:
            return
        before = set(self._items)
        try:
            importlib.import_module(module)
        except UserError:  # A name is taken twice, and nobody can tell which definition was meant.
            raise
        # A definition is anybody's code and may fail in any way, sys.exit among them.
        except (Exception, SystemExit) as error:
            for name in set(self._items) - before:
                del self._items[name]
            self._broken[module] = f"cannot be imported: {type(error).__name__}: {error}"
            log.warning("%s %s", module, self._broken[module])


def _module_in_work() -> str:
    """Return the name of the module whose top-level code is running and calls `add`."""
    # Frames 0 and 1 are this function and `add`. A helper may lie between `add` and the module.
    frame = sys._getframe(2)
    while frame.f_code.co_name != "<module>" and frame.f_back is not None:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "this program"))
