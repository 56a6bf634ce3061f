"""Sheets: a table of a study in words and figures as they are printed, and all of it for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from zoo.bench.rows import OF_SCORE, Row, Table
from zoo.measure.evaluation import Difference
from zoo.measure.figure import MARKS
from zoo.measure.table import MEANINGS, half_width, number
from zoo.measure.to_json import difference_to_json, figure_to_json
from zoo.parts import Slot
from zoo.parts.terms import Term
from zoo.train.settings import STEPS


@dataclass(frozen=True)
class Line:
    """A row as text.

    Attributes:
        cells: one for each heading.
        is_clear: whether its difference to the next row is.
        is_floor: whether it is a floor, or of the literature.
    """

    cells: tuple[str, ...]
    is_clear: bool
    is_floor: bool


@dataclass(frozen=True)
class FormattedTable:
    """A table as text.

    Attributes:
        title: what it is of.
        headings: of its columns.
        words: how many of the columns, from the left, hold words; the next is the number that ranks, and is
            marked where a difference is clear.
        lines: its rows.
        notes: what its signs mean, and what stands behind it.
    """

    title: str
    headings: tuple[str, ...]
    words: int
    lines: tuple[Line, ...]
    notes: tuple[str, ...]


def format_tables(table: Table) -> Iterator[FormattedTable]:
    """The table of the score, and that of loudness where something is known of it."""
    if table.rows or table.missing:
        yield _score_table(table)
    if any(not row.floor for row in table.loudness):
        yield _velocity_table(table)


def _score_table(table: Table) -> FormattedTable:
    slots, terms = table.study.slots, table.terms
    escape = ("escape",) if any("escaped" in row.evaluations[0].remarks for row in table.rows) else ()
    headings = (*slots, "nats ↓", "±", *terms, *escape, "to next", "weights", "min")
    lines = []
    for row, difference in _with_next(table.rows, *terms):
        score = row.figure(*terms)
        cells = [*_labels(row, slots), number(score), half_width(score), *_shares(row, terms)]
        cells += [_escaped(row)] if escape else []
        cells += [_apart(difference), _weights(row, *OF_SCORE), _time(row, *OF_SCORE)]
        lines.append(_line(row, tuple(cells), difference))
    lines = _among(lines, table, len(headings))
    lines += [
        Line((*labels, *["–"] * (len(headings) - len(labels))), False, False) for labels in _without(table)
    ]
    return FormattedTable(_title(table), headings, len(slots), tuple(lines), tuple(_notes(table, terms)))


def _among(lines: Sequence[Line], table: Table, width: int) -> list[Line]:
    """The rows with those of the literature where their numbers put them."""
    ranked = [(row.figure(*table.terms).value, line) for row, line in zip(table.rows, lines, strict=True)]
    for one in table.study.published:
        if table.data in one.nats:
            nats, labels = one.nats[table.data], [one.name, *[""] * (len(table.study.slots) - 1)]
            shown = f"{MARKS[one.kind]} {nats:g}".strip()
            cells = (*labels, shown, *["–"] * (width - len(labels) - 1))
            ranked.append((nats, Line(cells, is_clear=False, is_floor=True)))
    return [line for _, line in sorted(ranked, key=lambda pair: pair[0])]


def _shares(row: Row, terms: Sequence[str]) -> list[str]:
    """The terms apart; a floor has every key for a code, so that these two do not compare with others."""
    own = ("residual",) if row.floor else terms
    return [number(row.figure(term)) if term in own else "–" for term in terms]


def _escaped(row: Row) -> str:
    share = row.evaluations[0].share("escaped")
    return "–" if share is None else f"{share.value:.1%}"


def _velocity_table(table: Table) -> FormattedTable:
    slots = table.study.loud_slots
    headings = (*slots, "nats ↓", "±", "to next", "weights", "min")
    lines = []
    for row, difference in _with_next(table.loudness, "velocity"):
        found = row.figure("velocity")
        cells = (*_labels(row, slots), number(found), half_width(found), _apart(difference))
        cells = (*cells, _weights(row, "velocity"), _time(row, "velocity"))
        lines.append(_line(row, cells, difference))
    title = f"{_title(table)}: how loud each struck note is"
    return FormattedTable(title, headings, len(slots), tuple(lines), tuple(_notes(table, ("velocity",))))


def _with_next(rows: Sequence[Row], *terms: str) -> Iterator[tuple[Row, Difference | None]]:
    """Each row with how far it is below the next."""
    for row, following in pairwise((*rows, None)):
        assert row is not None
        yield row, row.minus(following, *terms) if following else None


def _line(row: Row, cells: tuple[str, ...], difference: Difference | None) -> Line:
    return Line(cells, difference is not None and difference.is_clear, bool(row.floor))


def _labels(row: Row, slots: Sequence[Slot]) -> list[str]:
    """The parts of a row; a floor has its name in the first column."""
    if row.floor:
        return [row.floor, *[""] * (len(slots) - 1)]
    return [row.labels[slot] for slot in slots]


def _without(table: Table) -> list[tuple[str, ...]]:
    """The labels of combinations without a number, each once."""
    slots = table.study.slots
    lacking = [tuple(one.labels[slot] for slot in slots) for one in (*table.missing, *table.failed)]
    there = {tuple(_labels(row, slots)) for row in table.rows}
    return [labels for labels in dict.fromkeys(lacking) if labels not in there]


def _apart(difference: Difference | None) -> str:
    if difference is None or difference.interval is None:
        return "–"
    return f"{difference.value:+.3f}" if difference.is_clear else f"({difference.value:+.3f})"


def _weights(row: Row, *terms: Term) -> str:
    """How many numbers some of its terms learned by gradient, in thousands."""
    found = [row.parameters[term] for term in terms if term in row.parameters]
    return f"{sum(found) / 1000:.0f}k" if found else "–"


def _time(row: Row, *terms: Term) -> str:
    """Training in whole minutes: machines differ, and so do two runs on one."""
    found = [row.seconds[term] for term in terms if term in row.seconds]
    if not found:
        return "–"
    return "<1" if sum(found) < 60 else f"{sum(found) / 60:.0f}"


def _title(table: Table) -> str:
    name = table.study.settings.title or table.study.name
    return f"{name} {table.data}" if name[-1:] in "?!." else f"{name}: {table.data}"


def _notes(table: Table, terms: Sequence[str]) -> Iterator[str]:
    """What stands behind the numbers, and what the signs mean."""
    rows = table.loudness if terms == ("velocity",) else table.rows
    if rows:
        count = rows[0].figure(*terms)
        unit = "struck notes" if terms == ("velocity",) else "frames"
        seeds = "1 seed" if table.study.settings.seeds == 1 else f"{table.study.settings.seeds} seeds"
        yield (
            f"n = {count.pieces} {table.study.settings.split} pieces{count.of_families}, "
            f"{count.count:,} {unit}, {seeds}; music {table.reading.digest[:12] if table.reading else ''}"
        )
        yield from table.reading.notes if table.reading else ()
        yield _budget(table)
        yield f"nats per {'struck note' if terms == ('velocity',) else 'frame'}, lower is better"
        over = "families" if count.of_families else "pieces"
        over += " and seeds" if table.study.settings.seeds > 1 else ", of one seed"
        yield f"± half of the 95 % interval over {over}"
        figures = [row.figure(*terms) for row in rows]
        kinds = {found.kind for found in figures}
        if terms != ("velocity",):
            kinds |= {one.kind for one in table.study.published if table.data in one.nats}
        is_beside = any(table.data in one.nats for one in table.study.published)
        below = "next row measured here" if is_beside else "row below"
        for kind, meaning in MEANINGS.items():
            errors = [found.error for found in figures if found.kind == kind and found.error is not None]
            if kind in kinds:
                yield meaning + (f", standard error up to {max(errors):.1g}" if errors else "")
        yield (
            f"to next: paired difference to the {below}; where its own 95 % interval holds 0 it is in "
            "brackets, else the nats are bold"
        )
        if table.study.settings.seeds == 1:
            yield "one seed cannot tell whether another would turn an order round: – for a difference"
        if any("escaped" in row.evaluations[0].remarks for row in rows):
            yield "escape: frames of more pitch classes than there are voices"
        yield "weights: learned by gradient; min: minutes of training"
        if any("bound" in kind for kind in kinds):
            yield "the difference of two bounds compares the bounds, not the true values"
        if "residual" in terms:
            yield "residual: what the keys leave out, how long a note is held or whether it is struck again"
        elif terms != ("velocity",):
            yield "the keys alone: this music does not say which are struck"
        for one in table.study.published:
            if terms != ("velocity",) and table.data in one.nats:
                yield f"{one.name}: {one.source}"
        if table.study.has_velocity and not table.loudness:
            yield "this music does not say how loud it is: velocity is not compared"
    if table.missing:
        waits = "1 row waits" if len(table.missing) == 1 else f"{len(table.missing)} rows wait"
        yield f"{waits} for `zoo bench run`"
    for failed in table.failed:
        yield f"{failed.label_for(table.study.slots)}: a part came to a value that is not finite"


def _budget(table: Table) -> str:
    train = table.study.train_on(table.data)
    length = next(
        (f"{value:g} {name}" for name in ("steps", "epochs", "minutes") if (value := getattr(train, name))),
        f"{STEPS} steps",
    )
    rates = ", ".join(f"{rate:g}" for rate in table.study.rates)
    by = {0: "", 1: " of the first seed"}.get(
        table.selection_seeds, f" of the first {table.selection_seeds} seeds"
    )
    chosen = f"learning rate of each part from {rates} by validation{by}"
    chosen = chosen if len(table.study.rates) > 1 else f"lr {rates}"
    frames = train.on_grid(table.reading.grid).frames if table.reading else train.frames
    return f"each part trained for {length} of {train.batch} x {frames} frames, {chosen}"


def table_to_json(table: Table) -> dict[str, Any]:
    """For programs: everything that is known of the rows."""
    return {
        "study": table.study.name,
        "title": table.study.settings.title,
        "data": _music_facts(table),
        "seeds": table.study.settings.seeds,
        "train": table.study.train_on(table.data).model_dump(mode="json", exclude_none=True, exclude={"lr"}),
        "lr": list(table.study.rates),
        "unit": "nats per frame",
        "rows": list(_row_facts(table.rows, table.study.slots, table.terms)),
        "velocity": {
            "unit": "nats per struck note",
            "rows": list(_row_facts(table.loudness, table.study.loud_slots, ("velocity",))),
        },
        "published": [asdict(one) for one in table.study.published if table.data in one.nats],
        "missing": [dict(combination.labels) for combination in table.missing],
        "failed": [dict(combination.labels) for combination in table.failed],
    }


def _music_facts(table: Table) -> dict[str, Any]:
    """What the music is, and how it was read when it was measured."""
    known: dict[str, Any] = {"name": table.data, "split": table.study.settings.split}
    if (reading := table.reading) is None:
        return known | {"digest": ""}
    known |= {"digest": reading.digest, "reading": reading.number, "earlier": reading.is_earlier}
    return known | {"grid": reading.grid, "leaks": reading.leaks}


def _row_facts(rows: Sequence[Row], slots: Sequence[Slot], terms: Sequence[str]) -> Iterator[dict[str, Any]]:
    for row, difference in _with_next(rows, *terms):
        yield {
            "name": row.label_for(slots),
            "floor": bool(row.floor),
            "parts": dict(row.labels),
            "recipe": row.recipe,
            "digest": row.digest,
            "score": figure_to_json(row.figure(*terms)),
            "terms": {term: figure_to_json(row.figure(term)) for term in terms},
            "by_seed": row.by_seed(*terms),
            "to_next": None if difference is None else difference_to_json(difference),
            "parameters": dict(row.parameters),
            "escaped": None if (share := row.evaluations[0].share("escaped")) is None else share.value,
            "training": _time(row, *row.parameters),
            "lr": dict(row.rates),
            "made": dict(row.made),
        }
