import io
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from reports.tables.formats import Cell, Table, csv, html, latex, latex_escaped, markdown
from reports.tables.markdown import table as aligned

SPECIAL = 'a_b & 50% #1 $x {y} ~z ^2 \\ <t> | "q"'
TABLE = Table(
    "PSNR, dB (higher is better)",
    ["method", "(0.1, 0.2] n=12", "paper (0.1, 0.2]"],
    [
        [
            Cell("full"),
            Cell("24.42 ± 1.57", "measured", "best", 24.4234),
            Cell("28.73", "reported", "", 28.73),
        ],
        [
            Cell("no_gan"),
            Cell("23.00 ± 1.00", "measured", "second", 23.0),
            Cell("", "missing"),
        ],
        [Cell("<script>x|y</script>"), Cell("not run", "missing"), Cell("", "missing")],
    ],
    "± is a 95 % interval.",
    pd.DataFrame({"method": ["full", "no_gan"], "mean": [24.4234, 23.0], "n": [12, 11]}),
)
REASON = Table("LPIPS", note="not measured: no weights_of AlexNet & <none>")


def test_markdown_columns_are_aligned() -> None:
    assert aligned(["a", "long"], [["wide cell", "1"], ["b", "22"]]) == (
        "| a         | long |\n|-----------|------|\n| wide cell | 1    |\n| b         | 22   |"
    )


def test_markdown_marks_the_best_and_the_second_best() -> None:
    title, body, note = markdown(TABLE).split("\n\n")
    lines = body.splitlines()
    assert title == "**PSNR, dB (higher is better)**"
    assert lines[2].split(" | ")[1].strip() == "**24.42 ± 1.57**"
    assert lines[3].split(" | ")[1].strip() == "_23.00 ± 1.00_"
    assert note == "± is a 95 % interval."
    assert len({len(line) for line in lines}) == 1


def test_markdown_escapes_what_would_break_the_row_or_be_html() -> None:
    assert "| \\<script>x\\|y\\</script> |" in markdown(TABLE)
    p = Table("t", ["p"], [[Cell("<0.001")]])
    assert "| <0.001 |" in markdown(p)


def test_table_without_a_header_is_its_reason_in_every_format() -> None:
    assert markdown(REASON) == "**LPIPS**\n\nnot measured: no weights_of AlexNet & <none>"
    assert "<table" not in html(REASON)
    assert "no weights_of AlexNet &amp; &lt;none&gt;" in html(REASON)
    assert "tabular" not in latex([REASON])
    assert r"no weights\_of AlexNet \& \textless{}none\textgreater{}" in latex([REASON])


def test_csv_is_the_plain_numbers_of_all_tables() -> None:
    other = Table("t", data=pd.DataFrame({"method": ["c"], "reported": [1.5]}))
    frame = pd.read_csv(io.StringIO(csv([TABLE, REASON, other])))
    assert frame["method"].tolist() == ["full", "no_gan", "c"]
    assert frame["mean"].tolist()[:2] == [24.4234, 23.0]
    assert frame["reported"].isna().tolist() == [True, True, False]


def test_csv_of_nothing_is_empty() -> None:
    assert csv([REASON]) == ""


def test_csv_keeps_every_digit() -> None:
    number = 0.1 + 0.2
    text = csv([Table("t", data=pd.DataFrame({"mean": [number]}))])
    assert float(text.splitlines()[1]) == number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b", r"a\_b"),
        ("50 % & #1", r"50 \% \& \#1"),
        ("{x}$", r"\{x\}\$"),
        ("\\", r"\textbackslash{}"),
        ("~^", r"\textasciitilde{}\textasciicircum{}"),
        ("(0.1, 0.2]", "(0.1, 0.2{]}"),
        ("[*", "{[}{*}"),
        ("<0.001", r"\textless{}0.001"),
        ("24 ± 1", r"24 $\pm$ 1"),
        ("−0.3", "$-$0.3"),
        ("--lr", "-{}-lr"),
        ("no-gan", "no-gan"),
        ("naïve", "naïve"),
        ("中", "(U+4E2D)"),
        ("two\nlines", "two lines"),
    ],
)
def test_latex_escapes(text: str, expected: str) -> None:
    assert latex_escaped(text) == expected


def bare_specials(source: str) -> list[str]:
    """Characters that LaTeX would take for commands, in a text that should have none."""
    without = re.sub(r"\\[&%$#_{}]|\\[a-z]+(\{\})?|\$(\\[a-z]+|-)\$", "", source)
    return re.findall(r"[&%$#_~^\\<>|\"]", without)


def test_latex_leaves_no_special_character_bare() -> None:
    assert bare_specials(SPECIAL)
    assert bare_specials(latex_escaped(SPECIAL)) == []


def test_latex_is_a_document_with_balanced_environments_and_braces() -> None:
    source = latex([TABLE, REASON, TABLE])
    assert source.startswith(r"\documentclass")
    body = source[source.index(r"\begin{document}") :]
    opened: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    plain = re.sub(r"\\[{}]", "", source)
    assert plain.count("{") == plain.count("}")


def test_latex_rows_have_the_cells_of_the_columns() -> None:
    lines = latex([TABLE]).splitlines()
    inside = lines[lines.index(r"\toprule") + 1 : lines.index(r"\bottomrule")]
    rows = [line for line in inside if line != r"\midrule"]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [2] * 4
    assert all(row.endswith(r" \\") for row in rows)
    assert r"\begin{tabular}{lll}" in lines


def test_latex_marks_the_best_and_the_second_best() -> None:
    source = latex([TABLE])
    assert r"\textbf{24.42 $\pm$ 1.57}" in source
    assert r"\underline{23.00 $\pm$ 1.00}" in source
    assert r"\textbf{28.73" not in source


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles(tmp_path: Path) -> None:
    wide = Table(SPECIAL, ["[x]", "*"] * 9, [[Cell("[" + SPECIAL), Cell("*")] * 9], SPECIAL)
    (tmp_path / "t.tex").write_text(latex([TABLE, REASON, wide]), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "t.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)


class Cells(HTMLParser):
    """Collects the tags, the cells' attributes and the texts."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.cells: list[dict[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.append(tag)
        if tag == "td":
            self.cells.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_html_is_balanced_and_escaped() -> None:
    found = Cells(html(TABLE))
    assert found.open == []
    assert "script" not in found.tags
    assert "<script>x|y</script>" in found.texts
    assert found.tags.count("tr") == 4
    assert found.tags.count("td") == 9


def test_html_escapes_title_header_and_note() -> None:
    found = Cells(html(Table("<b>", ["<i>"], [[Cell("x")]], "<u>&")))
    assert {"<b>", "<i>", "<u>&"} <= set(found.texts)


def test_html_says_kind_mark_and_raw_number() -> None:
    found = Cells(html(TABLE)).cells
    assert found[0] == {"class": "label"}
    assert found[1] == {"class": "measured best", "data-sort": "24.4234"}
    assert found[2] == {"class": "reported", "data-sort": "28.73"}
    assert found[4]["class"] == "measured second"
    assert found[7] == {"class": "missing"}
