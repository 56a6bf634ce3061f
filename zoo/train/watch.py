"""The progress of training: a live table on a terminal, otherwise a line from time to time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from zoo.parts.kinds import combined_kind, marked
from zoo.parts.terms import OF_SCORE
from zoo.progress import STDERR
from zoo.train.events import Event, Listen, Started, Stepped, Validated

if TYPE_CHECKING:
    from zoo.parts.kinds import Kind
    from zoo.parts.terms import Term

EVERY = 20.0
"""Seconds between two lines if the output is not a terminal; every validation prints a line."""
SMOOTH = 0.9
"""Decay of the moving average of the loss that is shown."""
RECENT = 32
"""Number of steps over which speed is measured."""


@dataclass
class TrainingProgress:
    """Progress of training, from the events so far."""

    begun: Started | None = None
    step: int = 0
    seconds: float = 0.0
    losses: dict[Term, float] = field(default_factory=dict)
    nats: dict[Term, float] = field(default_factory=dict)
    best: dict[Term, float] = field(default_factory=dict)
    kinds: dict[Term, Kind] = field(default_factory=dict)
    recent: deque[tuple[int, float, int]] = field(default_factory=lambda: deque(maxlen=RECENT))

    def update(self, event: Event) -> None:
        """Update the progress from an event."""
        self.step = event.step
        if isinstance(event, Started):
            self.begun = event
            return
        self.seconds = event.seconds
        if isinstance(event, Stepped):
            self.recent.append((event.step, event.seconds, event.frames))
            for term, loss in event.losses.items():
                self.losses[term] = SMOOTH * self.losses.get(term, loss) + (1 - SMOOTH) * loss
        else:
            self.nats = dict(event.nats)
            self.kinds |= event.kinds
            self.best |= {term: event.nats[term] for term in event.improved}

    @property
    def done(self) -> float:
        """The fraction of the budget that is used, 0..1."""
        if self.begun is None:
            return 0.0
        if self.begun.seconds is not None:
            return min(self.seconds / self.begun.seconds, 1.0)
        return self.step / self.begun.steps if self.begun.steps else 1.0

    @property
    def speed(self) -> float:
        """Frames of music per second."""
        return sum(frames for _, _, frames in list(self.recent)[1:]) / self._span if self._span else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until the budget is used up; None if unknown."""
        if self.begun is None:
            return None
        if self.begun.seconds is not None:
            return max(self.begun.seconds - self.seconds, 0.0)
        if not self._span or self.begun.steps is None:
            return None
        steps = self.recent[-1][0] - self.recent[0][0]
        return (self.begun.steps - self.step) * self._span / steps

    @property
    def _span(self) -> float:
        """Seconds from the first to the last of the recent steps."""
        return self.recent[-1][1] - self.recent[0][1] if len(self.recent) > 1 else 0.0

    def line(self) -> str:
        """The progress in one line."""
        of = f" of {self.begun.steps}" if self.begun and self.begun.steps else ""
        epoch = f", epoch {1 + max(self.step - 1, 0) // self.begun.epoch}" if self.begun else ""
        speed = f", {self.speed:,.0f} frames/s" if self._span else ""
        left = "" if self.left is None else f", {clock(self.left)} left"
        return f"step {self.step}{of}{epoch}{speed}{left}"


class Watch:
    """Shows events on a console inside its `with` block.

    Args:
        console: where to show them.
        lines: whether to also print lines that stay: the start, and, without a terminal, the progress.
    """

    def __init__(self, console: Console, *, lines: bool = True) -> None:
        self._console, self._lines = console, lines
        self._progress = TrainingProgress()
        self._printed_at = 0.0
        self._live = Live(console=console, transient=True, get_renderable=self._picture, refresh_per_second=4)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Update the table, or print a line."""
        self._progress.update(event)
        if self._lines and (isinstance(event, Started) or not self._console.is_terminal):
            self._print(event)

    def _print(self, event: Event) -> None:
        progress = self._progress
        if isinstance(event, Started):
            again = f", from step {event.step}" if event.step else ""
            threads = f"{event.threads} thread{'' if event.threads == 1 else 's'}"
            each = f" on each of {event.ranks} ranks" if event.ranks > 1 else ""
            where = f"training on {event.device} with {threads}{each}"
            self._console.print(
                f"{where}{again}, {event.epoch} step{'' if event.epoch == 1 else 's'} per epoch"
            )
        elif isinstance(event, Validated):
            nats = ", ".join(
                f"{term} {marked(value, event.kinds.get(term))}" for term, value in event.nats.items()
            )
            result = (
                f"validation {nats} nats/frame"
                if nats
                else "no validation pieces, so the last weights are kept"
            )
            self._console.print(f"{progress.line()}: {result}")
        elif event.seconds - self._printed_at > EVERY:
            losses = ", ".join(f"{term} {value:.3f}" for term, value in progress.losses.items())
            self._console.print(f"{progress.line()}: loss {losses}")
        else:
            return
        self._printed_at = progress.seconds

    def _picture(self) -> RenderableType:
        progress = self._progress
        if progress.begun is None:
            return "getting ready"
        bar = Table.grid(padding=(0, 2, 0, 0))
        bar.add_row(ProgressBar(total=1.0, completed=progress.done, width=24), progress.line())
        return Group(bar, _terms(progress))


@contextmanager
def watched(progress: bool | None, listen: Listen | None) -> Iterator[Listen | None]:
    """The listener of a training that also shows its progress on standard error.

    Args:
        progress: whether to show it; None to show it only on a terminal.
        listen: another listener, which receives all events.
    """
    console = Console(file=STDERR, markup=False, highlight=False)
    if not (console.is_terminal if progress is None else progress):
        yield listen
        return
    with Watch(console) as watch:

        def listener(event: Event) -> None:
            watch(event)
            if listen is not None:
                listen(event)

        yield listener


def _terms(progress: TrainingProgress) -> Table:
    """A row for each term; the nats of codes and keys have a sum, losses of different kinds do not."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for heading in ("loss", "validation, nats/frame", "best"):
        table.add_column(heading, justify="right")
    validated, kinds = (progress.nats, progress.best), progress.kinds
    for term, loss in progress.losses.items():
        nats = (marked(column[term], kinds.get(term)) if term in column else "" for column in validated)
        table.add_row(term, f"{loss:.3f}", *nats)
    if progress.nats.keys() >= set(OF_SCORE):
        kind = combined_kind(kinds[term] for term in OF_SCORE) if kinds.keys() >= set(OF_SCORE) else None
        sums = (marked(sum(column.get(term, 0.0) for term in OF_SCORE), kind) for column in validated)
        table.add_row(" + ".join(OF_SCORE), "", *sums, end_section=True)
    return table


def clock(seconds: float) -> str:
    """Seconds as a clock shows them: 0:07, 2:30, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
