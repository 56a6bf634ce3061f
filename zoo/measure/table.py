"""Evaluations for people: the rows beside their floors, and how far apart they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from zoo.measure.evaluation import BOUNDS, SCORE, compare
from zoo.measure.figure import MARKS, Figure
from zoo.measure.music import QUARTERS
from zoo.measure.resemblance import FEWEST, Likeness, Resemblance
from zoo.measure.row import Row, pairs, velocity_rows

MEANINGS = {
    "bound": "≤ a bound: the true number is not higher",
    "estimate": "~ an estimate",
    "estimated bound": "≲ a bound that is itself estimated",
}
LENGTHS = {"frames": "in frames", QUARTERS: "in quarter notes"}
"""How units of length are named."""
FEW = 10
"""Passages below which a table of resemblance warns."""
RESEMBLING = (
    "apart: how far what is written must be moved to be as what is unseen",
    "(Wasserstein-1; of pitch classes, from the tonic on, Jensen-Shannon in nats)",
    "floor: how far two halves of the unseen are apart",
    "different: shuffled passages are so far apart in any of these measures less than",
    "once in 20 times (Holm's correction over the measures)",
    "longest copy: the longest stretch that a training piece has too, in any key",
)
UNCLEAR = "not clear: the interval holds 0, or a bound that is higher leaves open whether the truth is"
OF_BOUNDS = "(bounds): so the bounds differ; how far below them the true numbers are is not known"


def tables(rows: Sequence[Row], velocity_floors: Sequence[Row] = ()) -> Iterator[RenderableType]:
    """The table of rows, what its signs mean, and their paired differences; then the same of loudness."""
    yield _rows(rows)
    yield Text("\n".join(_legend(rows)), style="dim")
    if list(pairs(rows)):
        yield from _differences(rows, "nats/frame")
    loudness = velocity_rows(rows, velocity_floors)
    if loudness:
        yield _velocities(loudness)
    if list(pairs(loudness)):
        yield from _differences(loudness, "nats/note", "velocity")


def _rows(rows: Sequence[Row]) -> Table:
    terms = [name for name in SCORE if any(name in row.evaluation.terms for row in rows)]
    escape = any("escaped" in row.evaluation.remarks for row in rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("row", overflow="fold", ratio=1)
    for heading in ("nats/frame ↓", "±", *terms, *(["escape"] if escape else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        found = row.evaluation
        score = found.score()
        cells = [number(score), half_width(score)]
        cells += [number(found.figure(name)) if name in found.terms else "–" for name in terms]
        share = found.share("escaped")
        cells += [f"{share.value:.1%}" if share else "–"] if escape else []
        table.add_row(row.name, *cells, style="dim" if row.is_floor else None)
    return table


def number(figure: Figure) -> str:
    """The value with the mark of its kind."""
    return f"{MARKS[figure.kind]} {figure.value:.3f}".strip()


def half_width(figure: Figure) -> str:
    """Half of its interval."""
    return "–" if figure.half_width is None else f"{figure.half_width:.3f}"


def _velocities(rows: Sequence[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("how loud, per struck note", overflow="fold", ratio=1)
    for heading in ("nats/note ↓", "±"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        found = row.evaluation.figure("velocity")
        style = "dim" if row.is_floor else None
        table.add_row(row.label, number(found), half_width(found), style=style)
    return table


def _legend(rows: Sequence[Row]) -> Iterator[str]:
    scores = [row.evaluation.score() for row in rows]
    full = all(row.evaluation.is_full for row in rows)
    yield (
        "the full score: which keys are struck and which held"
        if full
        else "the keys alone: this music does not say which are struck"
    )
    if any("residual" in row.evaluation.terms for row in rows):
        yield "residual: what the keys leave out, how long a note is held or whether it is struck again"
    if any("escaped" in row.evaluation.remarks for row in rows):
        yield "escape: frames of more pitch classes than there are voices"
    families = scores[0].of_families
    yield f"± half of the 95 % interval, had other {'families' if families else 'pieces'} been drawn"
    if families:
        yield f"{scores[0].pieces} pieces{families}: pieces that share music count as one in intervals"
    for kind, meaning in MEANINGS.items():
        errors = [score.error for score in scores if score.kind == kind and score.error is not None]
        if any(score.kind == kind for score in scores):
            yield meaning + (f", standard error up to {max(errors):.1g}" if errors else "")


def _differences(rows: Sequence[Row], unit: str, *terms: str) -> Iterator[RenderableType]:
    """The table, and what its vaguer verdicts mean if they were passed."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("difference", overflow="fold", ratio=1)
    for heading in (unit, "95 % interval", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    verdicts = set()
    for first, second in pairs(rows):
        found = compare(first.evaluation, second.evaluation, *terms)
        interval = "–" if found.interval is None else "{:+.3f} … {:+.3f}".format(*found.interval)
        verdicts.add(found.verdict)
        value = f"{found.mark} {found.value:+.3f}".strip()
        table.add_row(f"{first.name} - {second.name}", value, interval, found.verdict)
    yield table
    if "not clear" in verdicts:
        yield Text(UNCLEAR, style="dim")
    if any(verdict.endswith(BOUNDS) for verdict in verdicts):
        yield Text(OF_BOUNDS, style="dim")


def resemblances(written: Iterable[tuple[str, Resemblance | None]]) -> Iterator[RenderableType]:
    """What each model writes beside unseen music, by name; once, where changed settings do not change it."""
    shown: list[Resemblance] = []
    for name, found in written:
        if found is not None and found not in shown:
            shown.append(found)
            yield from _resemblance(name, found)
    if shown:
        lengths = _lengths([found for one in shown for found in one.likenesses])
        few = min(min(one.passages) for found in shown for one in found.likenesses or [found])
        yield Text("\n".join([*RESEMBLING, *lengths, *_few(few)]), style="dim")


def _few(passages: int) -> Iterator[str]:
    """A warning where the smallest lot has this many passages."""
    if passages < FEWEST:
        yield f"too few: a verdict takes {FEWEST} passages, written and in each half of the unseen"
    if passages < FEW:
        yield "distances and floors of few passages are high by chance alone"


def _resemblance(name: str, found: Resemblance) -> Iterator[RenderableType]:
    written, first, second = found.passages
    passages = "1 passage" if written == 1 else f"{written} passages"
    yield Text(f"{name}: {passages} of {found.frames} frames beside {first} + {second} unseen ones")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    table.add_column("measure", overflow="fold", ratio=1)
    for heading in ("written", "unseen", "apart ↓", "95 % interval", "floor", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for likeness in found.likenesses:
        table.add_row(*_likeness(likeness))
    yield from (Text(), table, Text())


def _lengths(likenesses: Sequence[Likeness]) -> Iterator[str]:
    """Which measures are lengths, and in which unit."""
    for unit, meaning in LENGTHS.items():
        names = dict.fromkeys(found.measure for found in likenesses if found.unit == unit)
        if names:
            yield f"{' and '.join(names)}: {meaning}"


def _likeness(found: Likeness) -> Iterator[str]:
    digits = 3 if found.unit in (None, "share") else 2

    def number(value: float | None) -> str:
        return "–" if value is None else f"{value:.{digits}f}"

    yield found.measure
    yield number(found.generated)
    yield number(found.held_out)
    yield number(found.distance)
    yield "–" if found.interval is None else " … ".join(map(number, found.interval))
    yield number(found.floor)
    yield found.verdict
