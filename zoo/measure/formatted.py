"""Formatted tables: headings, cells and notes as text, from which every output format is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


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
