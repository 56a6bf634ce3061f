"""Tables on standard output: for a terminal, as Markdown or as LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import click

from zoo.cli.answer import ANSWER
from zoo.errors import Problem, UsageError

if TYPE_CHECKING:
    from zoo.measure.formatted import FormattedTable

TableFormat = Literal["terminal", "md", "latex", "json"]


def table_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose a format."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print all results as JSON."),
        click.option("--latex", "as_latex", is_flag=True, help="Print LaTeX, for booktabs and amssymb."),
        click.option("--md", "as_md", is_flag=True, help="Print Markdown."),
    ):
        function = option(function)
    return function


def table_format(as_md: bool, as_latex: bool, as_json: bool) -> TableFormat:
    """The format that the options choose.

    Raises:
        UsageError: they choose more than one.
    """
    chosen: dict[TableFormat, bool] = {"md": as_md, "latex": as_latex, "json": as_json}
    requested = [form for form, is_chosen in chosen.items() if is_chosen]
    if len(requested) > 1:
        words = " ".join(f"--{form}" for form in requested)
        raise UsageError(Problem("a table is printed in one format at a time", words, "choose one of them"))
    return requested[0] if requested else "terminal"


def print_tables(tables: Sequence[FormattedTable], form: TableFormat) -> None:
    """Print tables in a format other than JSON."""
    from zoo.cli.console import stdout
    from zoo.measure.printing import FittedTable, latex, markdown

    shown = [_visible(table) for table in tables]
    if form == "terminal":
        for table in shown:
            stdout.print(FittedTable(table))
    else:
        write = markdown if form == "md" else latex
        click.echo("\n".join(map(write, shown)), ANSWER, nl=False)


def _visible(table: FormattedTable) -> FormattedTable:
    """The table with control characters written out; names come from studies and bundles of others."""
    from zoo.cli.console import visible

    return replace(
        table,
        title=visible(table.title),
        headings=tuple(map(visible, table.headings)),
        lines=tuple(replace(line, cells=tuple(map(visible, line.cells))) for line in table.lines),
        notes=tuple(
            note._replace(text=visible(note.text), column=visible(note.column)) for note in table.notes
        ),
    )
