"""References to code that is imported only when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

Reference = str | Callable[..., Any]
"""A text `"package.module:attribute"`, or the attribute itself where its import is cheap."""


def resolve(reference: Reference) -> Any:
    """Return the attribute that a reference names; its module is imported."""
    if not isinstance(reference, str):
        return reference
    module, _, attribute = reference.partition(":")
    return getattr(importlib.import_module(module), attribute)


def module_of(reference: Reference) -> str:
    """Return the dotted name of the module that a reference lies in, without importing it."""
    return reference.partition(":")[0] if isinstance(reference, str) else reference.__module__


def attribute_of(reference: Reference) -> str:
    """Return the name of a reference's attribute within its module."""
    return reference.partition(":")[2] if isinstance(reference, str) else reference.__qualname__
