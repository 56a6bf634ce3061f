"""What is seen of a study while it runs: a bar on a terminal, a line for each cell elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from zoo.bench.cell import Cell, FloorsCell

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.bench.driver import Standing


class Watch:
    """Listens to a driver inside its `with` block."""

    def __init__(self, talk: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self._talk = talk
        self._bars = Progress(
            BarColumn(20),
            TextColumn("{task.description}", markup=False),
            console=talk,
            disable=not talk.is_terminal,
            transient=True,
        )
        self._task = self._bars.add_task("", total=None)
        self._began = time.monotonic()
        self._where = ""

    def __enter__(self) -> Watch:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._bars.stop()
        if kind is not None and issubclass(kind, KeyboardInterrupt) and self._where:
            self._say(f"stopped; {self._where} are done, and the same command goes on from there.")

    def __call__(self, standing: Standing, ended: Cell | FloorsCell | None) -> None:
        """Show where the run stands."""
        self._where = where = f"{standing.done} of {standing.needed} cells"
        words = ", ".join(filter(None, [where, self._left(standing), _failures(standing)]))
        self._bars.update(self._task, completed=standing.done, total=standing.needed, description=words)
        if ended is None:
            if standing.outdated:
                self._say(f"{len(standing.outdated)} results are of other music; they are done anew.")
            if not self._talk.is_terminal and standing.done < standing.needed:
                self._say(f"{where} are done.")
        elif ended.name in standing.failed:
            self._say(f"{ended.title}: failed")
        elif not self._talk.is_terminal:
            self._say(f"{words}: {ended.title}")

    def _left(self, standing: Standing) -> str:
        if not standing.ran or standing.done >= standing.needed:
            return ""
        pace = (time.monotonic() - self._began) / standing.ran
        return f"{in_words(pace * (standing.needed - standing.done))} left"

    def _say(self, line: str) -> None:
        from zoo.cli.console import visible

        self._talk.print(visible(line), soft_wrap=True)


def _failures(standing: Standing) -> str:
    return f"{len(standing.failed)} failed" if standing.failed else ""


def in_words(seconds: float) -> str:
    """A length of time as people say it: about 3 minutes, about 2 hours."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * size:
            return f"about {round(seconds / size)} {unit}s"
        if seconds >= 0.9 * size:
            return f"about {'an' if unit == 'hour' else 'a'} {unit}"
    return "less than a minute"
