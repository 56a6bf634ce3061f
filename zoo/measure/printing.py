"""Printing formatted tables: on a terminal, as Markdown or as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from zoo.measure.formatted import FormattedTable, Line

SIGNS = {
    **{sign: rf"\{sign}" for sign in "%_&#${}"},
    **{"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "|": r"\textbar{}", "–": "--"},
    **{"↓": r"$\downarrow$", "±": r"$\pm$"},
    **{"≤": r"$\le$", "≲": r"$\lesssim$", "≥": r"$\ge$", "≳": r"$\gtrsim$"},
    # At the start of a row, a bare [ or * would be read as an option of the \\ before it.
    **{sign: f"{{{sign}}}" for sign in "[*"},
}
WORDS = str.maketrans({**SIGNS, "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}"})
FIGURES = str.maketrans({**SIGNS, **{sign: f"${sign}$" for sign in "+-<>"}, "~": r"$\sim$"})
"""Characters -> LaTeX, in columns of text and of numbers."""
TAG = re.compile("<(?=[A-Za-z/!?])")
"""The sign that begins an HTML element."""


@dataclass(frozen=True)
class FittedTable:
    """A table for a terminal: in a narrow window without its last columns, and without their notes."""

    table: FormattedTable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """See rich's console protocol."""
        last = self._last_column(console, options)
        notes = self.table.explanations(last)
        if self.table.title:
            yield Text(self.table.title, style="bold")
        yield _table(self.table, last)
        if notes:
            yield Text("\n".join(notes), style="dim")
        yield Text()

    def _last_column(self, console: Console, options: ConsoleOptions) -> int:
        """The number of columns that fit; the first number is always printed."""
        wide = options.update_width(len(self.table.headings) * 100)
        for last in range(len(self.table.headings), self.table.words + 1, -1):
            if Measurement.get(console, wide, _table(self.table, last)).minimum <= options.max_width:
                return last
        return self.table.words + 1


def _table(table: FormattedTable, last: int) -> Table:
    """The first `last` columns of a table."""
    printed = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    # The name of a row takes one column, which may fold if the window is narrow.
    printed.add_column(" ".join(table.headings[: table.words]), min_width=14, overflow="fold")
    for column in range(table.words, last):
        width = max(len(cells[column]) for cells in (table.headings, *(line.cells for line in table.lines)))
        printed.add_column(table.headings[column], justify="right", no_wrap=True, min_width=width)
    for line in table.lines:
        cells: list[str | Text] = [
            " ".join(line.cells[: table.words]).strip(),
            *line.cells[table.words : last],
        ]
        if line.is_clear:
            cells[1] = Text(line.cells[table.words], style="bold")
        printed.add_row(*cells, style="dim" if line.is_floor else None)
    return printed


def markdown(table: FormattedTable) -> str:
    """The table in Markdown."""
    align = ["---"] * table.words + ["---:"] * (len(table.headings) - table.words)
    lines = [f"**{_md_text(table.title)}**", "", _md(table.headings), _md(align)]
    lines += [_md(_bold(line, table.words, "**{}**")) for line in table.lines]
    return "\n".join([*lines, "", *(f"{_md_text(note)}.  " for note in table.explanations())]).rstrip() + "\n"


def _md(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_md_text(cell).replace("|", r"\|") for cell in cells) + " |"


def _bold(line: Line, marked: int, bold: str) -> list[str]:
    return [bold.format(cell) if line.is_clear and n == marked else cell for n, cell in enumerate(line.cells)]


def latex(table: FormattedTable) -> str:
    """The table in LaTeX, for the packages booktabs and amssymb."""
    columns = "l" * table.words + "r" * (len(table.headings) - table.words)
    escaped = [replace(line, cells=tuple(_tex(line.cells, table.words))) for line in table.lines]
    rows = [" & ".join(_bold(line, table.words, r"\textbf{{{}}}")) + r" \\" for line in escaped]
    head = " & ".join(_tex(table.headings, table.words)) + r" \\"
    notes = [f"% {_one_line(note)}" for note in (table.title, *table.explanations())]
    begin = rf"\begin{{tabular}}{{{columns}}}"
    lines = [*notes, begin, r"\toprule", head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _tex(cells: Sequence[str], words: int) -> list[str]:
    signs = [WORDS if number < words else FIGURES for number in range(len(cells))]
    return [_one_line(cell).translate(escapes) for cell, escapes in zip(cells, signs, strict=True)]


def _one_line(text: str) -> str:
    """The text without line breaks, which would end a LaTeX comment or a Markdown row."""
    return " ".join(text.split())


def _md_text(text: str) -> str:
    """The text in one line, without HTML, which Markdown would pass on to the page."""
    return TAG.sub("&lt;", _one_line(text))
