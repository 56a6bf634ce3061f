"""Printing a sheet: on a terminal, in a document or in a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from zoo.bench.sheet import Line, Sheet

SIGNS = {
    **{sign: rf"\{sign}" for sign in "%_&#${}"},
    **{"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "|": r"\textbar{}", "–": "--"},
    **{"↓": r"$\downarrow$", "±": r"$\pm$"},
    **{"≤": r"$\le$", "≲": r"$\lesssim$", "≥": r"$\ge$", "≳": r"$\gtrsim$"},
    # Bare at the start of a row, they would be taken for an option of what ends the row before.
    **{sign: f"{{{sign}}}" for sign in "[*"},
}
WORDS = str.maketrans({**SIGNS, "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}"})
FIGURES = str.maketrans({**SIGNS, **{sign: f"${sign}$" for sign in "+-<>"}, "~": r"$\sim$"})
"""How signs are written in LaTeX, in words and in figures."""


@dataclass(frozen=True)
class Fitting:
    """A table for a terminal, without its last columns where the window is narrow."""

    sheet: Sheet

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """What rich asks for."""
        wide = options.update_width(len(self.sheet.headings) * 100)
        for last in range(len(self.sheet.headings), self.sheet.words, -1):
            table = _table(self.sheet, last)
            if Measurement.get(console, wide, table).minimum <= options.max_width:
                break
        yield table


def pretty(sheet: Sheet) -> RenderableType:
    """For a terminal."""
    notes = Text("\n".join(sheet.notes), style="dim")
    return Group(Text(sheet.title, style="bold"), Fitting(sheet), notes)


def _table(sheet: Sheet, last: int) -> Table:
    """The table up to some heading."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    # What a row is called stands in one column, which may fold where a window is narrow.
    table.add_column(" ".join(sheet.headings[: sheet.words]), min_width=14, overflow="fold")
    for column in range(sheet.words, last):
        width = max(len(cells[column]) for cells in (sheet.headings, *(line.cells for line in sheet.lines)))
        table.add_column(sheet.headings[column], justify="right", no_wrap=True, min_width=width)
    for line in sheet.lines:
        cells: list[str | Text] = [
            " ".join(line.cells[: sheet.words]).strip(),
            *line.cells[sheet.words : last],
        ]
        if line.is_clear:
            cells[1] = Text(line.cells[sheet.words], style="bold")
        table.add_row(*cells, style="dim" if line.is_floor else None)
    return table


def markdown(sheet: Sheet) -> str:
    """For a document."""
    align = ["---"] * sheet.words + ["---:"] * (len(sheet.headings) - sheet.words)
    lines = [f"**{_one_line(sheet.title)}**", "", _md(sheet.headings), _md(align)]
    lines += [_md(_bold(line, sheet.words, "**{}**")) for line in sheet.lines]
    return "\n".join([*lines, "", *(f"{_one_line(note)}.  " for note in sheet.notes)]).rstrip() + "\n"


def _md(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_one_line(cell).replace("|", r"\|") for cell in cells) + " |"


def _bold(line: Line, marked: int, bold: str) -> list[str]:
    return [bold.format(cell) if line.is_clear and n == marked else cell for n, cell in enumerate(line.cells)]


def latex(sheet: Sheet) -> str:
    """For a paper, with the packages booktabs and amssymb."""
    columns = "l" * sheet.words + "r" * (len(sheet.headings) - sheet.words)
    escaped = [replace(line, cells=tuple(_tex(line.cells, sheet.words))) for line in sheet.lines]
    rows = [" & ".join(_bold(line, sheet.words, r"\textbf{{{}}}")) + r" \\" for line in escaped]
    head = " & ".join(_tex(sheet.headings, sheet.words)) + r" \\"
    notes = [f"% {_one_line(note)}" for note in (sheet.title, *sheet.notes)]
    begin = rf"\begin{{tabular}}{{{columns}}}"
    lines = [*notes, begin, r"\toprule", head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _tex(cells: Sequence[str], words: int) -> list[str]:
    signs = [WORDS if number < words else FIGURES for number in range(len(cells))]
    return [_one_line(cell).translate(known) for cell, known in zip(cells, signs, strict=True)]


def _one_line(text: str) -> str:
    """The text without breaks, which would end a comment of LaTeX or a row of Markdown."""
    return " ".join(text.split())
