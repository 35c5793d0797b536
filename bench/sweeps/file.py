"""A file that describes a run or a sweep: options by their names, and what varies.

It is written in TOML. A run's `config.json` is read too, which has the same tables.

preset = "small"
variants = ["full", "forward"]
seeds = [0, 1, 2]

[training]              # options may stand in the section that `--help-all` shows them in
steps = 4000

[axes]                  # what varies: an option with some values ...
lr = [1e-4, 1e-3]

[axes.set.bsds]         # ... or named values with some options each
images = "bsds500"

[axes.set.faces]
images = "folder:faces"
steps = 9000

[for.forward]           # options of one method alone
lr = 5e-4
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from reprlib import repr as short
from typing import Any

from bench.config import sections
from bench.core.errors import UserError, unknown
from bench.core.run_folder import NAME
from bench.sweeps.grid import Options


@dataclass(frozen=True)
class Description:
    """The contents of a file: options of the command, axes, and options of single methods."""

    options: Options
    """Values of the command's options by name, with `_` for `-`."""
    axes: Mapping[str, Mapping[str, Options]]
    methods: Mapping[str, Options]


def read(file: Path) -> Description:
    """Read a file; one that is missing, damaged or of another form is a `UserError` that names it.

    Names and values of the command's options are not checked here: the parser knows them.
    """
    parse, form = (json.loads, "JSON") if file.suffix == ".json" else (tomllib.loads, "TOML")
    try:
        found = _table("the file", parse(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"cannot read --config {file}: {error.strerror}") from error
    except ValueError as error:  # of either parser, or of the encoding
        raise UserError(f"--config {file} is no {form}: {error}") from error
    try:
        axes = _table("[axes]", found.pop("axes", {}))
        methods = _table("[for]", found.pop("for", {}))
        return Description(
            dict(_options(found)),
            {_named(name): _axis(name, values) for name, values in axes.items()},
            {name: _of_config(f"for.{name}", options) for name, options in methods.items()},
        )
    except UserError as error:
        raise UserError(f"{file}: {error}") from error


def _options(found: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the options outside the tables of axes and methods, by name."""
    kinds = {name: [item.name for item in fields(kind)] for name, kind in sections()}
    for name, value in found.items():
        if not isinstance(value, dict):
            yield _plain(name), value
        elif name not in kinds:
            raise unknown("table", name, [*kinds, "axes", "for"])
        else:
            for option, inner in value.items():
                if _plain(option) not in kinds[name]:
                    raise unknown(f"option in [{name}]", option, kinds[name])
                yield _plain(option), inner


def _axis(name: str, values: Any) -> dict[str, Options]:
    """Return the values of an axis by name: named tables of options, or a list for one option."""
    if isinstance(values, list) and values:
        return {f"{name}{_text(value)}": _of_config("axes", {name: value}) for value in values}
    if isinstance(values, dict) and values:
        return {
            _named(value): _of_config(f"axes.{name}.{value}", options)
            for value, options in values.items()
        }
    raise UserError(
        f"axis '{name}': give a list of values, or a table [axes.{name}.VALUE] for each"
    )


def _of_config(table: str, options: Any) -> Options:
    """Return the options of the config that a table gives."""
    known = [item.name for _, kind in sections() for item in fields(kind)]
    found = {}
    for option, value in _table(f"[{table}]", options).items():
        name = _plain(option)
        if name not in known:
            raise unknown(f"option in [{table}]", option, known)
        if name == "seed":
            raise UserError(f"[{table}] has a seed; give `seeds` at the top of the file")
        found[name] = tuple(value) if isinstance(value, list) else value
    return found


def _table(name: str, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise UserError(f"{name} is {short(found)}; it must be a table of options")
    return found


def _named(name: str) -> str:
    if not NAME.fullmatch(name):
        raise UserError(
            f"'{name}': use letters, digits, '.', '_' and '-', since it names folders of runs"
        )
    return name


def _plain(option: str) -> str:
    return option.replace("-", "_")


def _text(value: Any) -> str:
    """Return a value as part of a folder's name, with `-` for what such a name cannot have."""
    parts = value if isinstance(value, list) else [value]
    text = "-".join(f"{part:g}" if isinstance(part, float) else str(part) for part in parts)
    return "".join(c if NAME.fullmatch(f"a{c}") else "-" for c in text)
