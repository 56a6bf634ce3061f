"""Printing a sheet: on a terminal, in a document or in a paper."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from zoo.bench.sheet import Line, Sheet

LATEX = str.maketrans({"%": r"\%", "_": r"\_", "&": r"\&", "#": r"\#", "↓": r"$\downarrow$", "±": r"$\pm$"})
LATEX |= str.maketrans(
    {"≤": r"$\le$", "≲": r"$\lesssim$", "≥": r"$\ge$", "≳": r"$\gtrsim$", "~": r"$\sim$", "–": "--"}
)


def pretty(sheet: Sheet) -> RenderableType:
    """For a terminal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    # What a row is called stands in one column, which may fold where a window is narrow.
    table.add_column(" ".join(sheet.headings[: sheet.words]), min_width=14, overflow="fold")
    for heading in sheet.headings[sheet.words :]:
        table.add_column(heading, justify="right", no_wrap=True)
    for line in sheet.lines:
        cells: list[str | Text] = [" ".join(line.cells[: sheet.words]).strip(), *line.cells[sheet.words :]]
        if line.is_clear:
            cells[1] = Text(line.cells[sheet.words], style="bold")
        table.add_row(*cells, style="dim" if line.is_floor else None)
    return Group(Text(sheet.title, style="bold"), table, Text("\n".join(sheet.notes), style="dim"))


def markdown(sheet: Sheet) -> str:
    """For a document."""
    align = ["---"] * sheet.words + ["---:"] * (len(sheet.headings) - sheet.words)
    lines = [f"**{sheet.title}**", "", _md(sheet.headings), _md(align)]
    lines += [_md(_bold(line, sheet.words, "**{}**")) for line in sheet.lines]
    return "\n".join([*lines, "", *(f"{note}.  " for note in sheet.notes)]).rstrip() + "\n"


def _md(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _bold(line: Line, marked: int, bold: str) -> list[str]:
    return [bold.format(cell) if line.is_clear and n == marked else cell for n, cell in enumerate(line.cells)]


def latex(sheet: Sheet) -> str:
    """For a paper, with the package booktabs."""
    columns = "l" * sheet.words + "r" * (len(sheet.headings) - sheet.words)
    escaped = [
        Line(tuple(cell.translate(LATEX) for cell in line.cells), line.is_clear, line.is_floor)
        for line in sheet.lines
    ]
    rows = [" & ".join(_bold(line, sheet.words, r"\textbf{{{}}}")) + r" \\" for line in escaped]
    head = " & ".join(heading.translate(LATEX) for heading in sheet.headings) + r" \\"
    notes = [f"% {note}" for note in (sheet.title, *sheet.notes)]
    begin = rf"\begin{{tabular}}{{{columns}}}"
    lines = [*notes, begin, r"\toprule", head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"
