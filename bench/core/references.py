"""References to code that is imported only when it is used."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from bench.core.errors import UserError

Reference = str | Callable[..., Any]
"""A text `"package.module:attribute"`, or the attribute itself where its import is cheap."""


def resolve(reference: Reference) -> Any:
    """Return the attribute that a reference names; its module is imported.

    A module or an attribute that is not there is a `UserError` that names it.
    """
    if not isinstance(reference, str):
        return reference
    module, attribute = load(module_of(reference)), attribute_of(reference)
    if not hasattr(module, attribute):
        raise UserError(f"the reference '{reference}' leads nowhere: no such name in the module")
    return getattr(module, attribute)


def load(name: str) -> ModuleType:
    """Import a module; a `UserError` in one line names it, in whatever way the import fails."""
    try:
        return importlib.import_module(name)
    # A module may be anybody's code and fail in any way, sys.exit among them.
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise UserError(f"{name} cannot be imported: {reason}{_place(name, error)}") from error


def _place(name: str, error: BaseException) -> str:
    """Return file and line of a module's code in which its import failed, in brackets."""
    if isinstance(error, SyntaxError):  # it names them itself
        return ""
    lines = [
        f" ({frame.f_code.co_filename}, line {line})"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__") == name
    ]
    return lines[-1] if lines else ""


def module_of(reference: Reference) -> str:
    """Return the dotted name of the module that a reference lies in, without importing it."""
    return reference.partition(":")[0] if isinstance(reference, str) else reference.__module__


def attribute_of(reference: Reference) -> str:
    """Return the name of a reference's attribute within its module."""
    return reference.partition(":")[2] if isinstance(reference, str) else reference.__qualname__
