"""The registry: definitions by name, found by importing the modules of some packages."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import sys
from collections.abc import Iterable, Sequence
from functools import cached_property
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from bench.core.errors import UserError, unknown
from bench.core.references import load

log = logging.getLogger(__name__)
Item = TypeVar("Item")


class Registry(Generic[Item]):
    """Definitions of one kind, such as methods or metrics, by name.

    A module defines something by calling `add` when it is imported. Two kinds of modules are
    imported when the registry is first asked. The first are those that lie directly in `packages`;
    for a folder, that is its `__init__.py`. The second are those that installed packages name by
    entry points of the group `group`. So adding a definition means adding a file, and no list is
    edited. A module that cannot be imported causes a warning, and its failure is part of the error
    about an unknown name, since the name may be defined in it. A name that is defined twice causes
    a warning too, and means neither definition: nobody can tell which was meant.
    """

    def __init__(self, kind: str, packages: Sequence[str], group: str) -> None:
        self.kind, self.packages, self.group = kind, packages, group
        self._items: dict[str, Item] = {}
        self._modules: dict[str, str] = {}
        self._broken: dict[str, str] = {}
        self._again: dict[str, str] = {}  # the second module of a name that is defined twice

    def add(self, name: str, item: Item) -> Item:
        """Add a definition and return it."""
        module = _module_in_work()
        if name in self._items:
            self._again[name] = module
            log.warning("%s", self._taken_twice(name))
        self._items.setdefault(name, item)
        self._modules.setdefault(name, module)
        return item

    def all(self) -> dict[str, Item]:
        """Return all definitions by name, in the order of their modules and lines."""
        for package in self.packages:
            for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
                self._load(f"{package}.{module.name}")
        for name in self._installed:
            self._load(name)
        return {name: item for name, item in self._items.items() if name not in self._again}

    @cached_property
    def _installed(self) -> list[str]:
        """The modules that entry points name; to read all packages' takes milliseconds."""
        return [point.value.partition(":")[0] for point in entry_points(group=self.group)]

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
        if name in self._again:
            return UserError(self._taken_twice(name))
        return UserError("; ".join([str(unknown(kind or self.kind, name, among)), *self.problems]))

    @property
    def problems(self) -> list[str]:
        """The failures of modules, and the names that are taken twice, in one line each."""
        return [*self._broken.values(), *map(self._taken_twice, self._again)]

    def _taken_twice(self, name: str) -> str:
        """Return the words about a name that two modules define."""
        return (
            f"{self.kind} '{name}' of {self._again[name]} is already defined in "
            f"{self._modules[name]}; rename one"
        )

    def _load(self, module: str) -> None:
        """Import a module once; remove its definitions if it fails halfway."""
        if module in self._broken:
            return
        try:
            load(module)
        except UserError as error:
            self._broken[module] = str(error)
            log.warning("%s", error)
            # Modules that it imported before it failed keep theirs.
            for table in (self._modules, self._again):
                for name in [n for n, of in table.items() if f"{of}.".startswith(f"{module}.")]:
                    del table[name]
            self._items = {name: self._items[name] for name in self._modules}


def _module_in_work() -> str:
    """Return the name of the module whose top-level code is running and calls `add`."""
    # Frames 0 and 1 are this function and `add`. A helper may lie between `add` and the module.
    frame = sys._getframe(2)
    while frame.f_code.co_name != "<module>" and frame.f_back is not None:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "this program"))
