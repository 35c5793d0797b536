"""Plug-ins: files of Python outside the suite that define things when they are imported."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from bench.core import references
from bench.core.errors import UserError
from bench.core.registry import Registry

_loaded: list[Path] = []


def load(file: Path, registry: Registry[Any]) -> None:
    """Import a file as the module of its name, once; modules beside it can be imported as well.

    Raise a `UserError` in one line for a file that is missing, whose name another module has, or
    that cannot be imported, with its file and line. So is a definition under a name that is taken
    in the `registry`.
    """
    if file in _loaded:
        return
    if not file.is_file():
        raise UserError(f"--plugin {file}: no such file")
    if file.suffix != ".py" or not file.stem.isidentifier():
        raise UserError(f"--plugin {file}: give a file of Python, such as my_method.py")
    place = file.resolve()
    _refuse_taken(file, place)
    if str(place.parent) not in sys.path:
        sys.path.append(str(place.parent))  # last, so that nothing beside the file hides a library
    registry.all()  # or a name that is taken would be told of only where it is used
    before = registry.problems
    try:
        references.load(file.stem)
    except UserError as error:
        raise UserError(f"--plugin {file}: {error}") from error
    for problem in registry.problems:
        if problem not in before:
            raise UserError(f"--plugin {file}: {problem}")
    _loaded.append(file)


def loaded() -> tuple[Path, ...]:
    """Return the files that were loaded, as they were given, in order."""
    return tuple(_loaded)


def lies_beside(module: str) -> bool:
    """Return whether a module, by its dotted name, is a plug-in or lies in the folder of one."""
    if not _loaded:
        return False
    spec = importlib.util.find_spec(module.partition(".")[0])
    if spec is None or spec.origin is None:
        return False
    place = Path(spec.origin)
    folder = place.parent.parent if spec.submodule_search_locations else place.parent
    return folder in {file.resolve().parent for file in _loaded}


def _refuse_taken(file: Path, place: Path) -> None:
    """Raise a `UserError` if the name of a file is that of another module."""
    spec = importlib.util.find_spec(file.stem)
    if spec is not None and (spec.origin is None or Path(spec.origin).resolve() != place):
        raise UserError(
            f"--plugin {file}: another module is called {file.stem}, {spec.origin}; rename the file"
        )
