"""The progress of a search: a line for each trial, and on a terminal the training of the current one."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console

from zoo.parts.kinds import marked
from zoo.search.store import TrialResult
from zoo.train.events import Event
from zoo.train.watch import Watch


class SearchWatch:
    """Shows a search on a console inside its `with` block.

    Args:
        console: where to show it.
        trials: the number of trials.

    Attributes:
        ended: the number of trials that ended in this session.
    """

    def __init__(self, console: Console, trials: int) -> None:
        self._console, self._trials = console, trials
        self._watch: Watch | None = None
        self.ended = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def begin(self, number: int, chosen: Mapping[str, str]) -> None:
        """A trial begins."""
        self._stop()
        self._watch = Watch(self._console, lines=False).__enter__()

    def __call__(self, event: Event) -> None:
        """Show the training of the trial."""
        assert self._watch is not None
        self._watch(event)

    def end(self, trial: TrialResult, best: TrialResult | None) -> None:
        """Print the outcome of a trial."""
        self._stop()
        self.ended += 1
        head = f"trial {trial.number} of {self._trials}"
        same = f", as trial {trial.repeats}, which had the same values" if trial.repeats else ""
        self._print(f"{head}: {_outcome(trial, best)}{same}: {trial.words}")

    def note(self, text: str) -> None:
        """Print a note."""
        self._print(f"note: {text}")

    def _print(self, line: str) -> None:
        self._console.print("".join(c if c.isprintable() else "?" for c in line), soft_wrap=True)

    def _stop(self) -> None:
        if self._watch is not None:
            self._watch.__exit__(None, None, None)
            self._watch = None


def _outcome(trial: TrialResult, best: TrialResult | None) -> str:
    if trial.state == "failed":
        return f"failed ({trial.problem})"
    if trial.state == "pruned":
        return "pruned" if trial.repeats else f"pruned at step {trial.steps}"
    is_best = best is not None and best.number == trial.number
    assert trial.nats is not None
    return f"{marked(trial.nats, trial.kind)} nats{', the best so far' if is_best else ''}"
