"""A table, and how it is written: Markdown, CSV, LaTeX, HTML."""

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
    """One cell: its text, what kind of number it holds, and that number for sorting."""

    text: str
    kind: Kind = "label"
    mark: Mark = ""
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """A table for readers, with the plain numbers behind it.

    Without a header there is nothing to show, and the note says why.
    """

    title: str
    header: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    note: str = ""
    data: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False, repr=False)
    """One row per number or missing number, with unrounded values."""


def markdown(table: Table) -> str:
    """Title, aligned table and note; best in bold, second best in italics."""
    parts = [f"**{table.title}**"]
    if table.header:
        rows = [[_markdown_cell(cell) for cell in row] for row in table.rows]
        parts.append(markdown_text.table([_markdown_escaped(h) for h in table.header], rows))
    return "\n\n".join([*parts, *([table.note] if table.note else [])])


def _markdown_cell(cell: Cell) -> str:
    sign = {"": "", "best": "**", "second": "_"}[cell.mark]
    return f"{sign}{_markdown_escaped(cell.text)}{sign}"


def _markdown_escaped(text: str) -> str:
    return re.sub(r"([\\|*`]|<(?=[A-Za-z/!?]))", r"\\\1", text)


def csv(tables: Iterable[Table]) -> str:
    """The numbers behind several tables in one long table; give those of one kind together.

    Long, since that is what pandas, R and spreadsheets filter and pivot: a metric's table has a row
    per method and bucket with mean, half_width, n and reported in columns of their own.
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
    # A row must not begin with what \\ takes for its argument.
    "[": "{[}", "]": "{]}", "*": "{*}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}  # fmt: skip


def latex(tables: Iterable[Table]) -> str:
    """A document that compiles alone; its tables, for booktabs, can be taken out one by one.

    Best is bold, second best underlined.
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
    """Text as LaTeX prints it; what pdfLaTeX has no letter for is named by its code."""
    characters = " ".join(text.split())
    printed = "".join(LATEX_CHARACTERS.get(c) or _latex_letter(c) for c in characters)
    return re.sub("-(?=-)", "-{}", printed)  # options such as --lr are not dashes


def _latex_letter(character: str) -> str:
    # Latin letters up to U+017F are those of the T1 encoding.
    if character.isascii() or (character.isalpha() and ord(character) <= 0x17F):
        return character
    return f"(U+{ord(character):04X})"


def html(table: Table) -> str:
    """A `<table>` with its note below.

    Cells have the classes of their kind and mark, and their raw number in `data-sort`.
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
    sort = "" if cell.value is None else f' data-sort="{cell.value!r}"'
    return f'<td class="{names}"{sort}>{escape(cell.text)}</td>'
