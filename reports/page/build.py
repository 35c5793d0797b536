"""Puts the page together: template, style, script and data in one file that fetches nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import pandas as pd

from bench.core.errors import UserError
from bench.core.files import write_text
from bench.core.run_folder import PairPictures
from reports.page.columns import columns
from reports.page.pictures import common_pairs, encoded

SCRIPTS = ("tables.js", "statistics.js", "chart.js", "pictures.js", "page.js")
"""The parts of the page's one script, in their order."""


class Section(NamedTuple):
    """A part of the page that was made elsewhere.

    `html` is a fragment whose text is escaped already, such as those of
    `reports.tables.formats.html`; the rows of its tables can be sorted by the headers in `thead`.
    `svg` is a file to show below it.
    """

    heading: str
    html: str
    svg: Path | None = None


def write(
    path: Path,
    title: str,
    records: pd.DataFrame,
    sections: Sequence[Section],
    pictures: Mapping[str, PairPictures],
    notes: Sequence[str],
    colours: Callable[[str], str],
) -> None:
    """Write the page, whole or not at all.

    `records` are those of one manifest (columns of `bench.evaluation.records`). `pictures` are the
    folders with the methods' saved pairs, `00012_input.png`, `_output.png` and `_truth.png`; shown
    are the pairs that all have. `notes` stand above all numbers, as plain text. `colours` gives the
    CSS colour of a method on white. Raises UserError for records that cannot stand on one page and
    for files that cannot be read.
    """
    data = columns(records, colours)
    strangers = set(pictures) - {method["name"] for method in data["methods"]}
    if strangers:
        raise UserError(f"pictures of '{min(strangers)}', of which there are no records")
    pairs = common_pairs(pictures, data["pairs"]["number"])
    data["pictured"] = {"methods": list(pictures), "pairs": pairs}
    script = "\n".join(_asset(name) for name in SCRIPTS)
    page = Template(_asset("template.html")).substitute(
        title=escape(title),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=_asset("page.css"),
        links="\n".join(_link(i, section) for i, section in enumerate(sections)),
        notes="\n".join(f"<li>{escape(note)}</li>" for note in notes),
        sections="\n".join(_section(i, section) for i, section in enumerate(sections)),
        data=_json(data),
        pictures="\n".join(_pictures(pair, pictures) for pair in pairs),
        script=script,
    )
    write_text(path, page)


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _link(number: int, section: Section) -> str:
    return f'<li><a href="#section-{number}">{escape(section.heading)}</a></li>'


def _section(number: int, section: Section) -> str:
    heading = escape(section.heading)
    return (
        f'<section id="section-{number}" aria-labelledby="heading-{number}">\n'
        f'<h2 id="heading-{number}">{heading}</h2>\n'
        f'<div class="fragment">{section.html}</div>{_figure(section)}\n</section>'
    )


def _figure(section: Section) -> str:
    """The SVG as an image: its ids cannot meet those of another, and nothing in it can run."""
    if section.svg is None:
        return ""
    try:
        source = base64.b64encode(section.svg.read_bytes()).decode()
    except OSError as error:
        raise UserError(f"figure {section.svg} cannot be read: {error.strerror}") from error
    label = escape(f"Figure: {section.heading}")
    return (
        f'<div class="scroll figure" role="group" aria-label="{label}" tabindex="0">'
        f'<img alt="{label}" src="data:image/svg+xml;base64,{source}"></div>'
    )


def _pictures(pair: int, folders: Mapping[str, PairPictures]) -> str:
    """A block of its own per pair, so that the script parses only the one it shows."""
    return (
        f'<script type="application/json" id="pair-{pair}">{_json(encoded(pair, folders))}</script>'
    )


def _json(value: Any) -> str:
    """JSON that no text in it can end: HTML looks for `</script` and `<!--` alone."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
