"""The notes below the tables of a study: what its numbers are based on, and what its columns mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zoo.bench.rows import StudyRow, StudyTable
from zoo.counts import count
from zoo.measure.evaluation import Difference
from zoo.measure.formatted import Note
from zoo.measure.table import ESCAPE, NO_INTERVAL, RESIDUAL, kind_notes
from zoo.train.settings import STEPS

BUDGETS = ("steps", "epochs", "minutes")
NOT_HELD_OUT = {
    "train": "the parts were trained on the scored pieces",
    "valid": "the scored pieces are validation pieces of the trainings",
}
"""Split of a study -> what its scored pieces took part in."""


def notes(
    table: StudyTable, terms: Sequence[str], differences: Sequence[Difference | None]
) -> Iterator[Note]:
    """The notes of one table.

    Args:
        table: the results.
        terms: the terms of its score; `("velocity",)` for the table of velocities.
        differences: of each row to the next; None if there is none.
    """
    is_velocity = terms == ("velocity",)
    rows = table.loudness if is_velocity else table.rows
    if rows:
        yield from map(Note, _basis(table, rows, terms))
        yield from _columns(table, rows, terms, differences)
        yield from map(Note, _content(table, terms))
    yield from map(Note, without_row(table))


def without_row(table: StudyTable) -> Iterator[str]:
    """How many combinations have no row yet, and which have none since a training diverged."""
    if table.missing:
        waits = "1 row waits" if len(table.missing) == 1 else f"{len(table.missing)} rows wait"
        yield f"{waits} for `zoo bench run`"
    for failed in table.failed:
        yield f"{failed.label_for(table.study.slots)}: the training of a part diverged"


def _basis(table: StudyTable, rows: Sequence[StudyRow], terms: Sequence[str]) -> Iterator[str]:
    """The pieces, the music and the training budget that the numbers are based on."""
    settings, figure = table.study.settings, rows[0].figure(*terms)
    unit = "struck note" if terms == ("velocity",) else "frame"
    yield (
        f"n = {count(figure.pieces, f'{settings.split} piece')}{figure.of_families}, "
        f"{count(figure.count, unit)}, {count(settings.seeds, 'seed')}; "
        f"music {table.reading.digest[:12] if table.reading else ''}"
    )
    yield from table.reading.notes if table.reading else ()
    if settings.split in NOT_HELD_OUT:
        yield NOT_HELD_OUT[settings.split]
    yield _budget(table)
    yield f"nats per {unit}, lower is better"


def _columns(
    table: StudyTable,
    rows: Sequence[StudyRow],
    terms: Sequence[str],
    differences: Sequence[Difference | None],
) -> Iterator[Note]:
    """The meaning of columns and signs."""
    figures = [row.figure(*terms) for row in rows]
    published = [] if terms == ("velocity",) else [p for p in table.study.published if table.data in p.nats]
    over = "families" if figures[0].of_families else "pieces"
    over += " and seeds" if table.study.settings.seeds > 1 else ", of one seed"
    yield Note(f"± half of the 95 % interval over {over}", "±")
    if any(figure.interval is None for figure in figures):
        yield Note(NO_INTERVAL, "±")
    yield from kind_notes(figures, [row.kind for row in published])
    below = "next row measured here" if published else "row below"
    is_open = any(difference is not None and difference.is_left_open for difference in differences)
    why = "contains 0, or if a bound leaves the order open," if is_open else "contains 0,"
    yield Note(
        f"to next: paired difference to the {below}; in brackets if its 95 % interval {why} "
        "otherwise the nats are bold",
        "to next",
    )
    if table.study.settings.seeds == 1:
        yield Note("a single seed gives no differences (–): another seed may reverse the order", "to next")
    yield ESCAPE
    yield Note("weights: number of parameters trained by gradient", "weights")
    yield Note("min: minutes of training", "min")
    if any("bound" in figure.kind for figure in figures):
        yield Note("the difference of two bounds compares the bounds, not the true values", "to next")
    yield RESIDUAL
    for row in published:
        yield Note(f"{row.name}: {row.source}")


def _content(table: StudyTable, terms: Sequence[str]) -> Iterator[str]:
    """Terms that this music lacks, and that are therefore not scored."""
    if terms == ("velocity",):
        return
    if "residual" not in terms:
        yield "the keys alone: this music contains no onsets"
    if table.study.has_velocity and not table.loudness:
        yield "this music has no velocities, so they are not compared"


def _budget(table: StudyTable) -> str:
    train = table.study.train_on(table.data)
    lengths = (f"{value:g} {name}" for name in BUDGETS if (value := getattr(train, name)))
    rates = ", ".join(f"{rate:g}" for rate in table.study.rates)
    by = {0: "", 1: " of the first seed"}.get(
        table.selection_seeds, f" of the first {table.selection_seeds} seeds"
    )
    chosen = f"learning rate of each part from {rates} by validation{by}"
    has_learned = any(sum(row.parameters.values()) for row in (*table.rows, *table.loudness))
    if len(table.study.rates) == 1:
        chosen = f"lr {rates}"
    elif has_learned and not table.selection_seeds:
        chosen = f"lr {table.study.rates[0]:g}; the other rates were not compared, as nothing was validated"
    frames = train.on_grid(table.reading.grid).frames if table.reading else train.frames
    length = next(lengths, f"{STEPS} steps")
    return f"each part trained for {length} of {train.batch} x {frames} frames, {chosen}"
