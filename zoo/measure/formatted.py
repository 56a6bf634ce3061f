"""Formatted tables: headings, cells and notes as text, from which every output format is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

GREY = ' style="opacity: 0.65"'
"""How a row of a floor is shown in a notebook."""


@dataclass(frozen=True)
class Line:
    """A row as text.

    Attributes:
        cells: one for each heading.
        is_clear: whether its difference to the next row is clear; the number that ranks is bold then.
        is_floor: whether it is a floor, or from the literature.
    """

    cells: tuple[str, ...]
    is_clear: bool = False
    is_floor: bool = False


class Note(NamedTuple):
    """A sentence below a table.

    Attributes:
        text: the sentence.
        column: the heading of the column that it explains; empty if it is about the whole table.
    """

    text: str
    column: str = ""


@dataclass(frozen=True)
class FormattedTable:
    """A table as text.

    Attributes:
        title: caption of the table.
        headings: headings of its columns.
        words: number of columns, from the left, that contain words; the next one is the number that ranks.
        lines: its rows.
        notes: explanations of its columns and signs, and what the numbers are based on.
    """

    title: str
    headings: tuple[str, ...]
    words: int
    lines: tuple[Line, ...]
    notes: tuple[Note, ...] = ()

    def explanations(self, columns: int | None = None) -> list[str]:
        """The notes about the whole table and about its first `columns` columns, by default all."""
        shown = ("", *self.headings[:columns])
        return [note.text for note in self.notes if note.column in shown]

    def _repr_html_(self) -> str:
        """The table in a notebook; floors are grey."""
        caption = f'<caption style="white-space: nowrap">{escape(self.title)}</caption>'
        head = self._html("th", map(escape, self.headings))
        lines = ((line, self._html("td", self._html_cells(line))) for line in self.lines)
        body = "".join(f"<tr{GREY if line.is_floor else ''}>{cells}</tr>" for line, cells in lines)
        notes = "<br>".join(map(escape, self.explanations()))
        return f"<table>{caption}<tr>{head}</tr>{body}</table><small>{notes}</small>"

    def _html(self, tag: str, cells: Iterable[str]) -> str:
        """Cells of a row, words on the left and numbers on the right."""
        sides = (("left" if column < self.words else "right", cell) for column, cell in enumerate(cells))
        return "".join(f'<{tag} style="text-align: {side}">{cell}</{tag}>' for side, cell in sides)

    def _html_cells(self, line: Line) -> list[str]:
        cells = [escape(cell) for cell in line.cells]
        if line.is_clear:
            cells[self.words] = f"<b>{cells[self.words]}</b>"
        return cells
