"""A table, and its formats: Markdown, CSV, LaTeX and HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

import pandas as pd

from reports.tables import markdown as markdown_text

Kind = Literal["label", "measured", "reported", "missing"]
Mark = Literal["", "best", "second"]


@dataclass(frozen=True)
class Cell:
    """One cell of a table: text, kind of content, mark, and unrounded number for sorting."""

    text: str
    kind: Kind = "label"
    mark: Mark = ""
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """A table for readers, with the plain numbers behind it.

    A table without a header has nothing to show; its note says why.
    """

    title: str
    header: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    note: str = ""
    data: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False, repr=False)
    """Unrounded values, with one row per number, missing ones included."""


def markdown(table: Table) -> str:
    """Return title, aligned table and note; the best is bold, the second best in italics."""
    parts = [f"**{table.title}**"]
    if table.header:
        rows = [[_markdown_cell(cell) for cell in row] for row in table.rows]
        parts.append(markdown_text.table([markdown_escaped(h) for h in table.header], rows))
    return "\n\n".join([*parts, *([table.note] if table.note else [])])


def _markdown_cell(cell: Cell) -> str:
    sign = {"": "", "best": "**", "second": "_"}[cell.mark]
    return f"{sign}{markdown_escaped(cell.text)}{sign}"


def markdown_escaped(text: str) -> str:
    """Return text with Markdown's special characters escaped."""
    # A < is harmless unless it begins a tag. An _ inside a name is not markup.
    return re.sub(r"([\\|*`]|<(?=[A-Za-z/!?]))", r"\\\1", text)


def csv(tables: Iterable[Table]) -> str:
    """Return the numbers behind several tables of one kind as CSV; empty if there are none.

    The tables are put one below the other in long form, which pandas, R and spreadsheets can filter
    and pivot: a metric's table has one row per method and bucket, with mean, half_width, n and
    reported as columns.
    """
    frames = [table.data for table in tables if len(table.data)]
    return pd.concat(frames).to_csv(index=False) if frames else ""


LATEX_HEAD = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{textcomp}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage[a4paper,landscape,margin=15mm]{geometry}
\newsavebox{\tablebox}
% Shrinks a table that is wider than the page.
\newenvironment{fitted}{\begin{lrbox}{\tablebox}}{\end{lrbox}%
  \ifdim\wd\tablebox>\linewidth\resizebox{\linewidth}{!}{\usebox{\tablebox}}%
  \else\usebox{\tablebox}\fi}
\begin{document}
"""
LATEX_CHARACTERS = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}", "±": r"$\pm$", "−": r"$-$", "×": r"$\times$",
    "–": r"\textendash{}", "’": "'",
    # At the start of a row, \\ of the row before would take [ or * for its argument.
    "[": "{[}", "]": "{]}", "*": "{*}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}  # fmt: skip


def latex(tables: Iterable[Table]) -> str:
    """Return a document that compiles by itself; its tables can also be copied out one by one.

    They need the package booktabs. The best is bold, the second best underlined.
    """
    return "\n".join([LATEX_HEAD, *map(_latex_table, tables), r"\end{document}", ""])


def _latex_table(table: Table) -> str:
    title, note = latex_escaped(table.title), latex_escaped(table.note)
    if not table.header:
        return f"\\noindent\\textbf{{{title}}}\n\n\\noindent {note}\n\n\\bigskip\n"
    header = " & ".join(map(latex_escaped, table.header))
    rows = [f"{' & '.join(map(_latex_cell, row))} \\\\" for row in table.rows]
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering\small",
            f"\\caption{{{title}}}",
            r"\begin{fitted}",
            f"\\begin{{tabular}}{{{'l' * len(table.header)}}}",
            r"\toprule",
            f"{header} \\\\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{fitted}",
            f"\\par\\smallskip\\footnotesize {note}",
            r"\end{table}",
            "",
        ]
    )


def _latex_cell(cell: Cell) -> str:
    text = latex_escaped(cell.text)
    command = {"": "", "best": r"\textbf", "second": r"\underline"}[cell.mark]
    return f"{command}{{{text}}}" if command else text


def latex_escaped(text: str) -> str:
    """Return text with LaTeX's special characters escaped, and with single blanks.

    Characters that pdfLaTeX has no letter for are replaced by their codes.
    """
    characters = " ".join(text.split())
    printed = "".join(LATEX_CHARACTERS.get(c) or _latex_letter(c) for c in characters)
    return re.sub("-(?=-)", "-{}", printed)  # -- would print as a dash


def _latex_letter(character: str) -> str:
    # Latin letters up to U+017F are those of the T1 encoding.
    if character.isascii() or (character.isalpha() and ord(character) <= 0x17F):
        return character
    return f"(U+{ord(character):04X})"


def html(table: Table) -> str:
    """Return a `<table>` with its note below; all text is escaped.

    Cells have their kind and mark as classes, and their raw number in `data-sort`.
    """
    title = escape(table.title)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    if not table.header:
        return f'<p class="title">{title}</p>\n{note}'
    lines = [_html_row([f'<th scope="col">{escape(h)}</th>' for h in table.header])]
    body = [_html_row([_html_cell(cell) for cell in row]) for row in table.rows]
    return "\n".join(
        [
            "<table>", f"<caption>{title}</caption>", "<thead>", *lines, "</thead>",
            "<tbody>", *body, "</tbody>", "</table>", note,
        ]
    )  # fmt: skip


def _html_row(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(cells)}</tr>"


def _html_cell(cell: Cell) -> str:
    names = " ".join(filter(None, [cell.kind, cell.mark]))
    # repr keeps all digits, so that readers sort by the unrounded number.
    sort = "" if cell.value is None else f' data-sort="{cell.value!r}"'
    return f'<td class="{names}"{sort}>{escape(cell.text)}</td>'
