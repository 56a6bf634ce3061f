"""Waiting in sight: a bar on standard error for what takes a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""


@contextmanager
def waiting(label: str) -> Iterator[Progress]:
    """A bar until the block ends, which moves between two reports too; none where there is no terminal."""
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    from zoo.cli.console import talk, visible

    words = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), words, BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bars(*columns, console=talk, transient=True, disable=not talk.is_terminal) as bars:
        task = bars.add_task(visible(label), total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
