"""Training as one watches it: a live table on a terminal, a plain line now and then elsewhere."""

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

from zoo.train.events import Event, Listen, Started, Stepped, Validated

if TYPE_CHECKING:
    from zoo.parts.terms import Term

EVERY = 20.0
"""Seconds between two lines where nobody looks through a window; a validation always has its line."""
SMOOTH = 0.9
"""How much of the loss that is shown is older than the last step."""
RECENT = 32
"""Steps that speed is measured over."""


@dataclass
class Standing:
    """Where training stands, from the events so far."""

    begun: Started | None = None
    step: int = 0
    seconds: float = 0.0
    losses: dict[Term, float] = field(default_factory=dict)
    nats: dict[Term, float] = field(default_factory=dict)
    best: dict[Term, float] = field(default_factory=dict)
    recent: deque[tuple[int, float, int]] = field(default_factory=lambda: deque(maxlen=RECENT))

    def hear(self, event: Event) -> None:
        """Take in an event."""
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
            self.best |= {term: event.nats[term] for term in event.improved}

    @property
    def done(self) -> float:
        """How much of the budget is used, 0..1."""
        if self.begun is None:
            return 0.0
        if self.begun.seconds is not None:
            return min(self.seconds / self.begun.seconds, 1.0)
        return self.step / self.begun.steps if self.begun.steps else 1.0

    @property
    def speed(self) -> float:
        """Frames of music a second."""
        return sum(frames for _, _, frames in list(self.recent)[1:]) / self._span if self._span else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until the budget is used up; None while nobody knows."""
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
        """All of it in a line."""
        of = f" of {self.begun.steps}" if self.begun and self.begun.steps else ""
        epoch = f", epoch {1 + max(self.step - 1, 0) // self.begun.epoch}" if self.begun else ""
        speed = f", {self.speed:,.0f} frames/s" if self._span else ""
        left = "" if self.left is None else f", {clock(self.left)} left"
        return f"step {self.step}{of}{epoch}{speed}{left}"


class Watch:
    """Shows events on a console while it is open."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._standing = Standing()
        self._said = 0.0
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
        """Show what happened."""
        self._standing.hear(event)
        if isinstance(event, Started) or not self._console.is_terminal:
            self._say(event)

    def _say(self, event: Event) -> None:
        standing = self._standing
        if isinstance(event, Started):
            again = f", from step {event.step}" if event.step else ""
            threads = f"{event.threads} thread{'' if event.threads == 1 else 's'}"
            where = f"training on {event.device} with {threads}"
            self._console.print(f"{where}{again}, {event.epoch} steps an epoch")
        elif isinstance(event, Validated):
            nats = ", ".join(f"{term} {value:.3f}" for term, value in event.nats.items())
            said = (
                f"validation {nats} nats/frame" if nats else "no validation pieces, the last weights are kept"
            )
            self._console.print(f"{standing.line()}: {said}")
        elif event.seconds - self._said > EVERY:
            losses = ", ".join(f"{term} {value:.3f}" for term, value in standing.losses.items())
            self._console.print(f"{standing.line()}: loss {losses}")
        else:
            return
        self._said = standing.seconds

    def _picture(self) -> RenderableType:
        standing = self._standing
        if standing.begun is None:
            return "getting ready"
        progress = Table.grid(padding=(0, 2, 0, 0))
        progress.add_row(ProgressBar(total=1.0, completed=standing.done, width=24), standing.line())
        return Group(progress, _terms(standing))


@contextmanager
def watched(progress: bool | None, listen: Listen | None) -> Iterator[Listen | None]:
    """Whom training tells when it shows its progress on standard error besides.

    Args:
        progress: whether it does; None where that is a terminal.
        listen: who listens anyway.
    """
    console = Console(stderr=True, markup=False, highlight=False)
    if not (console.is_terminal if progress is None else progress):
        yield listen
        return
    with Watch(console) as watch:

        def tell(event: Event) -> None:
            watch(event)
            if listen is not None:
                listen(event)

        yield tell


def _terms(standing: Standing) -> Table:
    """A row for each term; losses are of different kinds and have no sum, nats do."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for heading in ("loss", "validation, nats/frame", "best"):
        table.add_column(heading, justify="right")
    for term in standing.losses:
        columns = (standing.losses, standing.nats, standing.best)
        table.add_row(term, *(f"{column[term]:.3f}" if term in column else "" for column in columns))
    if len(standing.nats) > 1:
        together = (f"{sum(column.values()):.3f}" for column in (standing.nats, standing.best))
        table.add_row("together", "", *together, end_section=True)
    return table


def clock(seconds: float) -> str:
    """Seconds as people say them: 0:07, 2:30, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
