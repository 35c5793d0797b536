"""Names of data sources as they stand in options: `NAME` or `NAME:PATH`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from bench.core.errors import UserError, unknown

TakesPath = Literal["never", "optional", "always"]
"""Whether a source is named with a path."""


class SourceName(NamedTuple):
    """A source's name and the path behind its colon, None where there is none."""

    name: str
    path: Path | None

    @classmethod
    def parse(cls, text: str) -> SourceName:
        """Split `NAME:PATH`; `~` in the path stands for the home folder."""
        name, _, path = text.partition(":")
        # `NAME:` alone is no name of a source.
        return cls(name, Path(path).expanduser()) if path else cls(text, None)

    def check_path(self, takes_path: TakesPath) -> None:
        """Raise a `UserError` if a path is missing, or given to a source that takes none."""
        if takes_path == "always" and self.path is None:
            raise UserError(f"'{self.name}' needs a folder: {self.name}:PATH")
        if takes_path == "never" and self.path is not None:
            raise UserError(
                f"'{self.name}' takes no path (here {self.path}); "
                "--data-root names the folder of named data sets"
            )


def unknown_source(kind: str, text: str, known: Iterable[tuple[str, TakesPath]]) -> UserError:
    """Return the error for a source that is not defined, with the nearest ones."""
    forms = [f"{name}:PATH" if takes_path == "always" else name for name, takes_path in known]
    return unknown(kind, text, forms)
