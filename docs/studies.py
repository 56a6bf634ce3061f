"""Tables of studies and of differences, from the results that are stored in the repository.

    <!-- study: benchmarks/studies/attention.toml data=bach -->     its tables

    <!-- compare: benchmarks/studies/attention.toml
    onset lags against onset history
    best onset against best sounding -->                    differences, one pair of rows a line

    <!-- differences -->                                    how many of the page's differences are clear

Without `data=` all music of the study is shown; `of=velocity` compares loudness, `of=keys` one term of the
score.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from comparisons import CLEAR, Comparison, Page, name_music, name_row
from zoo.bench.formatted import format_tables
from zoo.bench.reading import EARLIER
from zoo.bench.rows import StudyTable
from zoo.measure.formatted import FormattedTable
from zoo.measure.printing import markdown


def study_tables(comparison: Comparison, root: Path) -> str:
    """The tables of a study."""
    shown = [part for table in comparison.tables(root) for part in _parts(table, comparison.of)]
    return "\n".join(map(markdown, shown)).rstrip("\n")


def digest(comparison: Comparison, root: Path) -> str:
    """Eight hexadecimal digits that change with any number of the tables of a study."""
    cells = [
        line.cells
        for table in comparison.tables(root)
        for part in format_tables(table)
        for line in part.lines
    ]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:8]


def _parts(table: StudyTable, of: str) -> list[FormattedTable]:
    """The table of the score and that of loudness, or the latter alone."""
    parts = list(format_tables(table))
    return parts[1:] if of == "velocity" else parts


def difference_table(comparison: Comparison, page: Page, root: Path) -> str:
    """A table of differences: a line for each pair of rows, a column for each music."""
    tables = comparison.tables(root)
    names = " | ".join(map(name_music, tables))
    lines = [f"| | against | {names} |", "| --- | --- |" + " --- |" * len(tables)]
    for pair in comparison.pairs:
        verdicts = comparison.verdicts(pair, root)
        rows = [name_row(name, verdicts, side) for side, name in enumerate(pair)]
        cells = [
            f"**{verdict.words}**" if verdict.key in page.clear_together else verdict.words
            for verdict in verdicts
        ]
        lines.append(f"| {' | '.join([*rows, *cells])} |")
    return "\n".join([*lines, "", _caption(tables, comparison.of, page)])


def _caption(tables: Sequence[StudyTable], of: str, page: Page) -> str:
    unit = "struck note" if of == "velocity" else "frame"
    seeds = tables[0].study.settings.seeds
    counts = ", ".join(_pieces(table) for table in tables if table.rows)
    return (
        f"Nats per {unit}, paired by piece and seed, with 95 % intervals; n = {seeds} seeds, {counts}. "
        f"Bold: clear after Holm's correction over all {len(page.stated)} differences on this page."
    )


def _pieces(table: StudyTable) -> str:
    return f"{len(table.rows[0].evaluations[0].frames)} pieces of {table.data}"


def count_differences(page: Page) -> str:
    """How many of the differences of a page are clear, and which are of an earlier reading."""
    verdicts = list(page.stated.values())
    clear = [verdict for verdict in verdicts if verdict.outcome in CLEAR]
    dependent = sum(verdict.depends_on_selection_seeds for verdict in clear)
    counts = (
        f"Of the {len(verdicts)} differences on this page, {len(clear)} are clear on their own and "
        f"{len(page.clear_together)} after Holm's correction over all {len(verdicts)}. Of the {len(clear)}, "
        f"{dependent} are no longer clear without the seeds that chose the learning rates."
    )
    readings = {
        verdict.table.reading.number
        for verdict in verdicts
        if verdict.table.reading and verdict.table.is_earlier
    }
    notes = [f"In rows marked *earlier reading*, {EARLIER[number]}." for number in sorted(readings)]
    return " ".join([counts, *notes])
