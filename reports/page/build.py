"""Assembly of the page: template, style, script and data in one file that fetches nothing."""

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
from reports.page.pictures import common_pairs, embedded

SCRIPTS = ("tables.js", "statistics.js", "chart.js", "pictures.js", "page.js")
"""Files that are joined, in this order, into the page's one script."""


class Section(NamedTuple):
    """A part of the page that was made elsewhere.

    `html` is a fragment whose text is already escaped, such as those of
    `reports.tables.formats.html`. Readers can sort its tables by the headers in `thead`. `svg` is
    a file to show below the fragment.
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

    `records` are those of one manifest (columns of `bench.evaluation.records`). `pictures` holds
    the saved pairs of each method; the page shows those that all methods have, as far as it can
    hold them, and says how many they are. `notes` stand above all numbers, as plain text.
    `colours` gives the CSS colour of a method on white. Raise UserError for records that cannot
    stand on one page, for pictures of a method without records, and for files that cannot be read.
    """
    strangers = set(pictures) - set(records["method"].unique())
    if strangers:
        raise UserError(f"there are pictures of '{min(strangers)}' but no records")
    unique = records.drop_duplicates("pair").sort_values("pair")
    bucket_of: dict[int, Any] = dict(zip(unique["pair"], unique["bucket"], strict=True))
    saved = common_pairs(pictures, bucket_of)
    shown = embedded({pair: bucket_of[pair] for pair in saved}, pictures)
    data = columns(records, list(shown), colours)
    data["pictured"] = {"methods": list(pictures), "pairs": list(shown)}
    script = "\n".join(_asset(name) for name in SCRIPTS)
    page = Template(_asset("template.html")).substitute(
        title=escape(title),
        # The page's Content-Security-Policy runs the script with this digest and no other.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=_asset("page.css"),
        links="\n".join(
            f'<li><a href="#section-{i}">{escape(section.heading)}</a></li>'
            for i, section in enumerate(sections)
        ),
        notes="\n".join(f"<li>{escape(note)}</li>" for note in notes),
        sections="\n".join(_section(i, section) for i, section in enumerate(sections)),
        data=_json(data),
        # Each pair has a block of its own, so that the script parses only the pair it shows.
        pictures="\n".join(
            f'<script type="application/json" id="pair-{pair}">{_json(uris)}</script>'
            for pair, uris in shown.items()
        ),
        sample=_sample(len(shown), len(saved), len(bucket_of)),
        script=script,
    )
    write_text(path, page)


def _sample(shown: int, saved: int, measured: int) -> str:
    """Return the text that says of which test pairs there are pictures."""
    kept = (
        f"Runs keep pictures of {saved} of the {measured} test pairs: the first of each bucket and "
        "others that a seed drew, as many as --pictures says."
    )
    if saved == measured:
        kept = f"Runs keep pictures of all {measured} test pairs."
    held = f" This page holds the first {shown} of them, bucket by bucket in turn."
    return kept + (held if shown < saved else "")


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _section(number: int, section: Section) -> str:
    heading = escape(section.heading)
    return (
        f'<section id="section-{number}" aria-labelledby="heading-{number}">\n'
        f'<h2 id="heading-{number}">{heading}</h2>\n'
        f'<div class="fragment">{section.html}</div>{_figure(section)}\n</section>'
    )


def _figure(section: Section) -> str:
    """Return a section's SVG as an image element; empty if the section has none.

    Inside an image, its ids cannot clash with those of another SVG, and no script in it can run.
    Raise UserError if the file cannot be read.
    """
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


def _json(value: Any) -> str:
    """Return JSON that is safe inside a script element.

    HTML ends a script's text only at `</script`, and `<!--` can hide that end; so no `<` is left.
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
