"""Printing: special characters in names, titles and citations do not break a table."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from zoo.measure.formatted import FormattedTable, Line, Note
from zoo.measure.printing import FittedTable, latex, markdown

COMMANDS = {
    r"\textbackslash{}": "\\",
    r"\textasciicircum{}": "^",
    r"\textasciitilde{}": "~",
    r"\textbar{}": "|",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"$\sim$": "~",
    r"$\le$": "≤",
    r"$\downarrow$": "↓",
    r"$\pm$": "±",
}
TOKEN = re.compile(r"\\text\w+\{\}|\$\\?\w+\$|\$[-+<>]\$|\{[*[]\}|--|\\[%_&#${}]|[^\\%_&#${}~^<>|\[*]")
"""What may stand in a cell: a command, mathematics, an escaped sign, or what LaTeX reads as it stands."""
SIGNS = "a%b_c&d#e$f{g}h\\i~j^k<l>m|n[o*p"


def sheet(*rows: tuple[str, ...], title: str = "title", notes: tuple[str, ...] = ()) -> FormattedTable:
    """A table of one column of words and two of figures."""
    lines = tuple(Line(cells, is_clear=number == 0, is_floor=False) for number, cells in enumerate(rows))
    return FormattedTable(title, ("attention", "nats ↓", "±"), 1, lines, tuple(map(Note, notes)))


def read(cell: str) -> str:
    """What LaTeX would print of a cell."""
    bold = re.fullmatch(r"\\textbf\{(.*)\}", cell)
    cell = bold[1] if bold else cell
    tokens = TOKEN.findall(cell)
    assert "".join(tokens) == cell, f"a bare sign in {cell}"
    words = (COMMANDS.get(token) or token.replace("--", "–") for token in tokens)
    return "".join(word if len(word) == 1 else word.strip("\\${}") or word[1] for word in words)


def rows(page: str) -> list[list[str]]:
    """The cells of the rows that LaTeX would find, the headings first."""
    lines = [re.sub(r"(?<!\\)%.*", "", line) for line in page.splitlines()]
    body = [line for line in lines if line.endswith(r" \\")]
    return [[read(cell) for cell in line.removesuffix(r" \\").split(" & ")] for line in body]


def test_a_percentage_does_not_swallow_the_rest_of_its_row() -> None:
    assert rows(latex(sheet(("none", "0.0%", "0.1")))) == [
        ["attention", "nats ↓", "±"],
        ["none", "0.0%", "0.1"],
    ]


@pytest.mark.parametrize("sign", SIGNS)
def test_every_sign_is_printed_as_it_is_in_words_and_in_figures(sign: str) -> None:
    cells = (f"x{sign}y", f"1{sign}2", sign)
    assert rows(latex(sheet(cells, cells)))[1:] == [[*cells], [*cells]]


def test_figures_are_marked_as_the_zoo_marks_them() -> None:
    (row,) = rows(latex(sheet(("none", "≤ -1.5", "~ +0.1"))))[1:]
    assert row == ["none", "≤ -1.5", "~ +0.1"]


@pytest.mark.parametrize("first", ["[1] RNN", "*"])
def test_no_row_begins_with_what_the_row_before_would_take_for_its_own(first: str) -> None:
    """LaTeX reads `\\\\ [1]` as a distance and `\\\\ *` as a wish to stay on the page."""
    page = latex(sheet(("none", "1", "2"), (first, "1", "2")))
    assert not re.search(r"\\(\\|midrule)\s*[\[*]", page)
    assert rows(page)[2][0] == first


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", "\u2028"])
def test_a_line_break_in_a_name_a_title_or_a_note_breaks_no_line(end: str) -> None:
    table = sheet((f"no{end}ne", "1", "2"), title=f"Which{end}one?", notes=(f"RNN: one{end}2012",))
    page = latex(table)
    before, _, inside = page.partition(r"\begin{tabular}")
    assert before.splitlines() == ["% Which one?", "% RNN: one 2012"]
    assert rows(inside)[1] == ["no ne", "1", "2"]
    assert markdown(table).splitlines() == [
        "**Which one?**",
        "",
        "| attention | nats ↓ | ± |",
        "| --- | ---: | ---: |",
        "| no ne | **1** | 2 |",
        "",
        "RNN: one 2012.",
    ]


def test_a_narrow_window_loses_the_last_columns_and_no_part_of_one() -> None:
    wide = FormattedTable("title", ("attention", "nats ↓", "to next", "weights"), 1, (), ())
    page = replace(wide, lines=(Line(("history", "~ 3.123", "(-0.123)", "123k"), False, False),))

    def printed(width: int) -> str:
        console = Console(file=io.StringIO(), width=width)
        console.print(FittedTable(page))
        return console.file.getvalue()  # type: ignore[attr-defined]

    cells = ("123k", "(-0.123)", "3.123")
    lost = [[cell not in printed(width) for cell in cells] for width in range(60, 25, -1)]
    assert [False, False, False] in lost
    assert [True, False, False] in lost
    assert [True, True, False] in lost
    assert lost == sorted(lost)


def test_a_narrow_window_explains_only_the_columns_that_it_shows() -> None:
    notes = (
        Note("about the table"),
        Note("weights: parameters", "weights"),
        Note("escape: frames", "escape"),
    )
    page = FormattedTable(
        "title", ("attention", "nats ↓", "weights"), 1, (Line(("history", "3", "1k")),), notes
    )

    def printed(width: int) -> str:
        console = Console(file=io.StringIO(), width=width)
        console.print(FittedTable(page))
        return console.file.getvalue()  # type: ignore[attr-defined]

    wide, narrow = printed(60), printed(24)
    assert "weights: parameters" in wide
    assert "weights" not in narrow
    assert "3" in narrow
    for text in (wide, narrow, markdown(page), latex(page)):
        assert "about the" in text
        assert "escape" not in text
