"""A progress bar on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zoo.progress import Progress


@contextmanager
def waiting(label: str) -> Iterator[Progress]:
    """Show a progress bar until the block ends; nothing if standard error is not a terminal."""
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    from zoo.cli.console import stderr, visible

    words = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), words, BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bars(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bars:
        task = bars.add_task(visible(label), total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
