"""The progress of a running study: a bar on a terminal, otherwise a line per cell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from zoo.bench.cell import Cell, FloorsCell

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.bench.driver import StudyProgress


class StudyWatch:
    """Shows the progress of a driver inside its `with` block."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self._console = console
        self._bars = Progress(
            BarColumn(20),
            TextColumn("{task.description}", markup=False),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bars.add_task("", total=None)
        self._began = time.monotonic()
        self._where = ""

    def __enter__(self) -> StudyWatch:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._bars.stop()
        if kind is not None and issubclass(kind, KeyboardInterrupt) and self._where:
            self._print(f"stopped; {self._where} are done. Repeat the command to continue.")

    def __call__(self, progress: StudyProgress, ended: Cell | FloorsCell | None) -> None:
        """Show the progress of the run."""
        self._where = where = f"{progress.done} of {progress.needed} cells"
        words = ", ".join(filter(None, [where, self._left(progress), _failures(progress)]))
        self._bars.update(self._task, completed=progress.done, total=progress.needed, description=words)
        if ended is None:
            if progress.outdated:
                self._print(f"{len(progress.outdated)} results are of other music; they are computed again.")
            if not self._console.is_terminal and progress.done < progress.needed:
                self._print(f"{where} are done.")
        elif ended.name in progress.failed:
            self._print(f"{ended.title}: failed")
        elif not self._console.is_terminal:
            self._print(f"{words}: {ended.title}")

    def _left(self, progress: StudyProgress) -> str:
        if not progress.ran or progress.done >= progress.needed:
            return ""
        pace = (time.monotonic() - self._began) / progress.ran
        return f"{in_words(pace * (progress.needed - progress.done))} left"

    def _print(self, line: str) -> None:
        from zoo.cli.console import visible

        self._console.print(visible(line), soft_wrap=True)


def _failures(progress: StudyProgress) -> str:
    return f"{len(progress.failed)} failed" if progress.failed else ""


def in_words(seconds: float) -> str:
    """A duration in words: about 3 minutes, about 2 hours."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * size:
            return f"about {round(seconds / size)} {unit}s"
        if seconds >= 0.9 * size:
            return f"about {'an' if unit == 'hour' else 'a'} {unit}"
    return "less than a minute"
