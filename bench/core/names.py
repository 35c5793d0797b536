"""Names of data sets, as folders and reports have them."""

from __future__ import annotations

import re
from pathlib import PurePath

LONGEST_SOURCE = 24
"""Longest name of an image source, characters."""


def source_name(source: str) -> str:
    """Return the name of an image source, such as `My-photos` for `folder:/data/My photos`.

    It has letters, digits, `.`, `_` and `-` alone, since folders of runs are called by it.
    """
    kind, _, path = source.partition(":")
    name = re.sub(r"[^A-Za-z0-9._]+", "-", PurePath(path or kind).name).strip("-._")
    return name[:LONGEST_SOURCE] or kind
