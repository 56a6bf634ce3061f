"""The tables of a study, formatted for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from zoo.bench.notes import NOT_HELD_OUT, notes
from zoo.bench.rows import StudyRow, StudyTable
from zoo.measure.evaluation import Difference
from zoo.measure.formatted import FormattedTable, Line
from zoo.measure.table import half_width, number
from zoo.measure.to_json import difference_to_json, figure_to_json
from zoo.parts import Slot
from zoo.parts.kinds import MARKS
from zoo.parts.terms import OF_SCORE, Term


def format_tables(table: StudyTable) -> Iterator[FormattedTable]:
    """The table of scores, and that of velocities if the study models them."""
    if table.rows or table.missing:
        yield _score_table(table)
    if any(not row.floor for row in table.loudness):
        yield _velocity_table(table)


def _score_table(table: StudyTable) -> FormattedTable:
    slots, terms = table.study.slots, table.terms
    escape = ("escape",) if any("escaped" in row.evaluations[0].remarks for row in table.rows) else ()
    headings = (*slots, "nats ↓", "±", *terms, *escape, "to next", "weights", "min")
    lines, differences = [], _to_next_rows(table.rows, *terms)
    for row, difference in zip(table.rows, differences, strict=True):
        score = row.figure(*terms)
        cells = [*_labels(row, slots), number(score), half_width(score), *_shares(row, terms)]
        cells += [_escaped(row)] if escape else []
        cells += [_to_next(difference), _weights(row, *OF_SCORE), _time(row, *OF_SCORE)]
        lines.append(_line(row, tuple(cells), difference))
    lines = _with_published(lines, table, len(headings))
    lines += [
        Line((*labels, *["–"] * (len(headings) - len(labels)))) for labels in _labels_without_results(table)
    ]
    below = tuple(notes(table, terms, differences))
    return FormattedTable(_title(table), headings, len(slots), tuple(lines), below)


def _with_published(lines: Sequence[Line], table: StudyTable, width: int) -> list[Line]:
    """The rows and the published figures, sorted by nats."""
    ranked = [(row.figure(*table.terms).value, line) for row, line in zip(table.rows, lines, strict=True)]
    for published in table.study.published:
        if table.data in published.nats:
            nats, labels = published.nats[table.data], [published.name, *[""] * (len(table.study.slots) - 1)]
            shown = f"{MARKS[published.kind]} {nats:g}".strip()
            cells = (*labels, shown, *["–"] * (width - len(labels) - 1))
            ranked.append((nats, Line(cells, is_floor=True)))
    return [line for _, line in sorted(ranked, key=lambda pair: pair[0])]


def _shares(row: StudyRow, terms: Sequence[str]) -> list[str]:
    """The value of each term; only the residual for a floor, which has every key for a code."""
    own = ("residual",) if row.floor else terms
    return [number(row.figure(term)) if term in own else "–" for term in terms]


def _escaped(row: StudyRow) -> str:
    share = row.evaluations[0].share("escaped")
    return "–" if share is None else f"{share.value:.1%}"


def _velocity_table(table: StudyTable) -> FormattedTable:
    slots = table.study.loud_slots
    headings = (*slots, "nats ↓", "±", "to next", "weights", "min")
    lines, differences = [], _to_next_rows(table.loudness, "velocity")
    for row, difference in zip(table.loudness, differences, strict=True):
        figure = row.figure("velocity")
        cells = (*_labels(row, slots), number(figure), half_width(figure), _to_next(difference))
        cells = (*cells, _weights(row, "velocity"), _time(row, "velocity"))
        lines.append(_line(row, cells, difference))
    title = f"{_title(table)}: velocity of each struck note"
    below = tuple(notes(table, ("velocity",), differences))
    return FormattedTable(title, headings, len(slots), tuple(lines), below)


def _to_next_rows(rows: Sequence[StudyRow], *terms: str) -> list[Difference | None]:
    """The difference of each row to the next; None for the last."""
    return [*(row.minus(following, *terms) for row, following in pairwise(rows)), *([None] if rows else [])]


def _line(row: StudyRow, cells: tuple[str, ...], difference: Difference | None) -> Line:
    return Line(cells, difference is not None and difference.is_clear, bool(row.floor))


def _labels(row: StudyRow, slots: Sequence[Slot]) -> list[str]:
    """The parts of a row; a floor has its name in the first column."""
    if row.floor:
        return [row.floor, *[""] * (len(slots) - 1)]
    return [row.labels[slot] for slot in slots]


def _labels_without_results(table: StudyTable) -> list[tuple[str, ...]]:
    """The labels of combinations without results, without duplicates."""
    slots = table.study.slots
    lacking = [
        tuple(combination.labels[slot] for slot in slots) for combination in (*table.missing, *table.failed)
    ]
    present = {tuple(_labels(row, slots)) for row in table.rows}
    return [labels for labels in dict.fromkeys(lacking) if labels not in present]


def _to_next(difference: Difference | None) -> str:
    if difference is None or difference.interval is None:
        return "–"
    return f"{difference.value:+.3f}" if difference.is_clear else f"({difference.value:+.3f})"


def _weights(row: StudyRow, *terms: Term) -> str:
    """The number of trained parameters of some terms, in thousands."""
    counts = [row.parameters[term] for term in terms if term in row.parameters]
    return f"{sum(counts) / 1000:.0f}k" if counts else "–"


def _time(row: StudyRow, *terms: Term) -> str:
    """Training time in whole minutes; a finer unit would differ from run to run."""
    seconds = [row.seconds[term] for term in terms if term in row.seconds]
    if not seconds:
        return "–"
    return "<1" if sum(seconds) < 60 else f"{sum(seconds) / 60:.0f}"


def _title(table: StudyTable) -> str:
    name = table.study.settings.title or table.study.name
    return f"{name} {table.data}" if name[-1:] in "?!." else f"{name}: {table.data}"


def table_to_json(table: StudyTable) -> dict[str, Any]:
    """The table as JSON, with more facts about each row than are printed."""
    return {
        "study": table.study.name,
        "title": table.study.settings.title,
        "data": _music_to_json(table),
        "seeds": table.study.settings.seeds,
        "train": table.study.train_on(table.data).model_dump(mode="json", exclude_none=True, exclude={"lr"}),
        "lr": list(table.study.rates),
        "unit": "nats per frame",
        "rows": list(_rows_to_json(table.rows, table.study.slots, table.terms)),
        "velocity": {
            "unit": "nats per struck note",
            "rows": list(_rows_to_json(table.loudness, table.study.loud_slots, ("velocity",))),
        },
        "published": [asdict(row) for row in table.study.published if table.data in row.nats],
        "missing": [dict(combination.labels) for combination in table.missing],
        "failed": [dict(combination.labels) for combination in table.failed],
    }


def _music_to_json(table: StudyTable) -> dict[str, Any]:
    """The identity of the music, and how it was read when it was measured."""
    split = table.study.settings.split
    known: dict[str, Any] = {"name": table.data, "split": split, "note": NOT_HELD_OUT.get(split)}
    if (reading := table.reading) is None:
        return known | {"digest": ""}
    known |= {"digest": reading.digest, "reading": reading.number, "earlier": reading.is_earlier}
    return known | {"grid": reading.grid, "leaks": reading.leaks}


def _rows_to_json(
    rows: Sequence[StudyRow], slots: Sequence[Slot], terms: Sequence[str]
) -> Iterator[dict[str, Any]]:
    for row, difference in zip(rows, _to_next_rows(rows, *terms), strict=True):
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
