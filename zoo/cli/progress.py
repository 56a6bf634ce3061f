"""A progress bar on standard error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from zoo.progress import Progress

INTERVAL = 30.0
"""Seconds between two lines if standard error is not a terminal."""


@contextmanager
def waiting(label: str, *, lines: bool = False) -> Iterator[Progress]:
    """Show a progress bar until the block ends.

    Args:
        label: what is waited for.
        lines: print a line now and then if standard error is not a terminal, instead of nothing.
    """
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as ProgressBars

    from zoo.cli.console import stderr, visible

    if lines and not stderr.is_terminal:
        yield _lines(label)
        return
    words = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), words, BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with ProgressBars(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bars:
        task = bars.add_task(visible(label), total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _lines(label: str) -> Progress:
    """Print how much is done, every `INTERVAL` seconds from the first call."""
    from zoo.cli.console import stderr, visible

    printed = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal printed
        if time.monotonic() - printed >= INTERVAL:
            printed = time.monotonic()
            stderr.print(visible(f"{label}: {done:,} of {total:,}"), soft_wrap=True)

    return progress
