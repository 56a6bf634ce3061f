"""The Score section: nats with their kinds and intervals, as tables and as forest plots.

A forest plot draws the interval of each row as a line on one scale, so that overlaps are easy to see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from zoo.bench.notes import NOT_HELD_OUT
from zoo.counts import count
from zoo.measure.evaluation import SCORE
from zoo.measure.figure import Figure
from zoo.measure.table import (
    MEANINGS,
    NO_INTERVAL,
    OF_BOUNDS,
    UNCLEAR,
    chosen_note,
    half_width,
    number,
    seen_note,
)
from zoo.report.scale import Scale

WIDTH, MARGIN = 260, 6
"""Width of a forest plot and of its empty margin on either side, in pixels."""
MAX_SCORE_RATIO = 2.0
"""Scores above this multiple of the lowest one are not plotted; usually this is the uniform floor."""
MAX_DIFFERENCE_RATIO = 10.0
"""Differences above this multiple of the median one are not plotted."""
EARLIER = "measured on an earlier reading of this music: only compare numbers of the same reading"


@dataclass(frozen=True)
class PlotMark:
    """A number with its interval on a forest plot; positions are in pixels from the left.

    Attributes:
        center: position of the number; None if it is off the scale.
        low: lower end of the interval; None if unknown.
        high: upper end of the interval; None if unknown.
        label: the number and its interval as text.
    """

    center: float | None
    low: float | None
    high: float | None
    label: str


@dataclass(frozen=True)
class TableRow:
    """A row of a table: its name, its cells, and its mark on the plot."""

    name: str
    cells: tuple[str, ...]
    mark: PlotMark
    is_floor: bool = False


@dataclass(frozen=True)
class ScoreTable:
    """A table with a forest plot.

    Attributes:
        title: caption of the table.
        headings: headings of the columns between the name and the plot.
        rows: its rows.
        ends: the numbers at both ends of the plot.
        zero: position of 0 on the plot; None if it is not drawn.
        notes: explanations of the signs in the table.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[TableRow, ...]
    ends: tuple[str, str]
    zero: float | None
    notes: tuple[str, ...]


def score_tables(result: Mapping[str, Any]) -> Iterator[ScoreTable]:
    """The tables of a result of `zoo evaluate --json`, or of a study from `zoo bench table --json`."""
    music = _describe_music(result["data"])
    if result["rows"]:
        scores = _score_table(f"Score: {music}", result["rows"], "nats/frame ↓", result.get("seeds"))
        yield replace(scores, notes=(*scores.notes, *_reading_notes(result), *_without_row(result)))
        yield from _difference_tables(
            result.get("differences") or _differences_to_next(result["rows"]), "nats/frame"
        )
    velocity = result["velocity"]
    if any(not row["floor"] for row in velocity["rows"]):
        rows = [{"score": row.get("score", row), "terms": {}, **row} for row in velocity["rows"]]
        velocities = _score_table(f"Velocity: {music}", rows, "nats/note ↓", result.get("seeds"))
        yield replace(velocities, notes=(*velocities.notes, *_reading_notes(result)))
        yield from _difference_tables(velocity.get("differences") or _differences_to_next(rows), "nats/note")


def _reading_notes(result: Mapping[str, Any]) -> Iterator[str]:
    """Notes on the music of a result, and on the pieces that a study scores."""
    data = result["data"]
    if data.get("earlier"):
        yield EARLIER
    if "study" in result and data["split"] in NOT_HELD_OUT:
        yield NOT_HELD_OUT[data["split"]]


def scores_by_model(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The score of each model by the digest of its weights, to be saved with the votes.

    Names are no identity: a file of results may hold another model of the same name, or a row of a study.
    Rows with changed settings are left out, since the pieces of a page are generated without them.
    """
    return {
        row["model"]: {
            "unit": "nats per frame",
            "music": result["data"]["digest"],
            "split": result["data"]["split"],
            "full_score": row.get("full_score"),
            **row["score"],
        }
        for result in results
        for row in result["rows"]
        if isinstance(row.get("model"), str) and not row.get("changed")
    }


def figure_from_json(content: Mapping[str, Any]) -> Figure:
    """The inverse of `zoo.measure.to_json.figure_to_json`."""
    interval = content["interval"]
    return Figure(
        value=float(content["value"]),
        kind=content["kind"],
        interval=None if interval is None else (float(interval[0]), float(interval[1])),
        error=content["standard_error"],
        count=content["count"],
        pieces=content["pieces"],
        families=content.get("families", content["pieces"]),
    )


def _without_row(result: Mapping[str, Any]) -> Iterator[str]:
    """Notes on the combinations of a study that have no row."""
    if missing := len(result.get("missing", ())):
        yield f"{count(missing, 'combination')} of the study without results"
    for parts in result.get("failed", ()):
        yield f"{' '.join(parts.values())}: the training of a part diverged"


def _describe_music(data: Mapping[str, Any]) -> str:
    pieces = f"{data['pieces']:,} " if "pieces" in data else ""
    frames = f", {data['frames']:,} frames" if "frames" in data else ""
    return f"{pieces}{data['split']} pieces of {data['name']}{frames}; music {data['digest'][:12]}"


def _score_table(
    title: str, rows: Sequence[Mapping[str, Any]], heading: str, seeds: int | None
) -> ScoreTable:
    """The table of scores of models, or of a study with a number of seeds."""
    figures = [figure_from_json(row["score"]) for row in rows]
    terms = [term for term in SCORE if any(term in row["terms"] for row in rows)]
    # A floor far above all models would squeeze their intervals into a corner of the plot.
    highest = MAX_SCORE_RATIO * min(figure.value for figure in figures)
    scale = _scale([figure for figure in figures if figure.value <= highest])
    table_rows = []
    for row, figure in zip(rows, figures, strict=True):
        term_cells = [
            number(figure_from_json(row["terms"][term])) if term in row["terms"] else "–" for term in terms
        ]
        cells = (number(figure), half_width(figure), *term_cells)
        label = f"{number(figure)} ± {half_width(figure)}"
        mark = _mark(figure.value, figure.interval, label, scale if figure.value <= highest else None)
        table_rows.append(TableRow(row["name"], cells, mark, row["floor"]))
    ends = (f"{scale.low:.2f}", f"{scale.high:.2f}")
    kinds = {figure.kind for figure in figures}
    notes = tuple(meaning for kind, meaning in MEANINGS.items() if kind in kinds)
    units = "families of pieces" if figures[0].of_families else "pieces"
    if seeds is not None:
        units += " and seeds" if seeds > 1 else ", of one seed"
    notes = (f"± half the width of the 95 % interval over {units}", *notes)
    notes += (NO_INTERVAL,) if any(figure.interval is None for figure in figures) else ()
    notes += tuple(
        seen_note(row["name"], row["trained_on"], figures[0].pieces) for row in rows if row.get("trained_on")
    )
    notes += tuple(
        chosen_note(row["name"], row["chosen_on"], figures[0].pieces) for row in rows if row.get("chosen_on")
    )
    return ScoreTable(title, (heading, "±", *terms), tuple(table_rows), ends, None, notes)


def _difference_tables(differences: Sequence[Mapping[str, Any]], unit: str) -> Iterator[ScoreTable]:
    """The table of paired differences, each with its interval; none if there are no differences."""
    if not differences:
        return
    # One huge difference would flatten all others.
    largest = MAX_DIFFERENCE_RATIO * float(np.median([abs(row["value"]) for row in differences]))
    plotted = [row for row in differences if abs(row["value"]) <= largest]
    intervals = [row["interval"] or (row["value"], row["value"]) for row in plotted]
    scale = Scale.around([0.0, *(end for interval in intervals for end in interval)], MARGIN, WIDTH - MARGIN)
    rows = []
    for row in differences:
        value, interval = row["value"], row["interval"]
        interval_text = "–" if interval is None else "{:+.3f} … {:+.3f}".format(*interval)
        text = f"{row.get('mark', '')} {value:+.3f}".strip()
        mark = _mark(value, interval, f"{text}, {interval_text}", scale if row in plotted else None)
        cells = (text, interval_text, row["verdict"])
        rows.append(TableRow(f"{row['first']} − {row['second']}", cells, mark))
    verdicts = {row["verdict"] for row in differences}
    notes = [UNCLEAR] if "not clear" in verdicts else []
    notes += [OF_BOUNDS] if any(verdict.endswith("(bounds)") for verdict in verdicts) else []
    ends = (f"{scale.low:+.2f}", f"{scale.high:+.2f}")
    headings = (unit, "95 % interval", "verdict")
    yield ScoreTable("Paired differences", headings, tuple(rows), ends, scale(0), tuple(notes))


def _differences_to_next(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The differences of a study: each row minus the one below it."""
    return [
        {"first": row["name"], "second": below["name"], **row["to_next"]}
        for row, below in pairwise(rows)
        if row.get("to_next")
    ]


def _scale(figures: Sequence[Figure]) -> Scale:
    ends = [end for figure in figures for end in figure.interval or (figure.value, figure.value)]
    return Scale.around(ends, MARGIN, WIDTH - MARGIN)


def _mark(value: float, interval: Sequence[float] | None, label: str, scale: Scale | None) -> PlotMark:
    if scale is None:
        return PlotMark(None, None, None, label)
    low, high = (None, None) if interval is None else (scale(interval[0]), scale(interval[1]))
    return PlotMark(scale(value), low, high, label)
