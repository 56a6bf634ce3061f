"""Scores: nats with their kinds and intervals, as tables and as a forest plot.

A forest plot draws the interval of each row as a line on one scale, so that it is seen which overlap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from zoo.measure.evaluation import SCORE
from zoo.measure.figure import Figure
from zoo.measure.table import MEANINGS, OF_BOUNDS, UNCLEAR, half_width, number
from zoo.report.scale import Scale

WIDTH, EDGE = 260, 6
"""Of a forest plot in pixels, and what its line keeps clear at either end."""
FAR = 2.0
"""Rows of so many times the lowest nats are off the scale; the floor that knows nothing is."""

EARLIER = "of an earlier reading of this music: compare only numbers of one reading"
APART = 10.0
"""Differences of so many times the median one are off the scale."""


@dataclass(frozen=True)
class Span:
    """A number with its interval on a forest plot, in pixels.

    Attributes:
        place: of the number; None where it is off the scale.
        low: where the interval begins; None where it is not known.
        high: where it ends.
        told: the same in words.
    """

    place: float | None
    low: float | None
    high: float | None
    told: str


@dataclass(frozen=True)
class Line:
    """A row of a table: its name, what is printed, and its place on the plot."""

    name: str
    cells: tuple[str, ...]
    span: Span
    is_floor: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a forest plot.

    Attributes:
        title: what it is of.
        headings: of the columns between the name and the plot.
        lines: its rows.
        ends: the numbers at both ends of the plot.
        zero: where 0 lies on the plot; None where it does not matter.
        notes: what its signs mean.
    """

    title: str
    headings: tuple[str, ...]
    lines: tuple[Line, ...]
    ends: tuple[str, str]
    zero: float | None
    notes: tuple[str, ...]


def score_tables(result: Mapping[str, Any]) -> Iterator[Table]:
    """The tables of what `zoo evaluate --json` or a study's `zoo bench table --json` has measured."""
    music = _music(result["data"])
    if result["rows"]:
        scores = _scores(f"Score: {music}", result["rows"], "nats/frame ↓")
        yield replace(scores, notes=(*scores.notes, EARLIER)) if result["data"].get("earlier") else scores
        yield from _differences(result.get("differences") or _to_next(result["rows"]), "nats/frame")
    loudness = result["velocity"]
    if any(not row["floor"] for row in loudness["rows"]):
        rows = [{"score": row.get("score", row), "terms": {}, **row} for row in loudness["rows"]]
        yield _scores(f"Loudness: {music}", rows, "nats/note ↓")
        yield from _differences(loudness.get("differences") or _to_next(rows), "nats/note")


def scores_by_name(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The score of each model by its name, for votes to stand beside."""
    return {
        row["name"]: {"unit": "nats per frame", "music": result["data"]["digest"], **row["score"]}
        for result in results
        for row in result["rows"]
        if not row["floor"]
    }


def figure(facts: Mapping[str, Any]) -> Figure:
    """The figure that `zoo.measure.to_json.figure_to_json` made ready for JSON."""
    low_high = facts["interval"]
    return Figure(
        value=float(facts["value"]),
        kind=facts["kind"],
        interval=None if low_high is None else (float(low_high[0]), float(low_high[1])),
        error=facts["standard_error"],
        count=facts["count"],
        pieces=facts["pieces"],
        families=facts.get("families", facts["pieces"]),
    )


def _music(data: Mapping[str, Any]) -> str:
    pieces = f"{data['pieces']:,} " if "pieces" in data else ""
    frames = f", {data['frames']:,} frames" if "frames" in data else ""
    return f"{pieces}{data['split']} pieces of {data['name']}{frames}; music {data['digest'][:12]}"


def _scores(title: str, rows: Sequence[Mapping[str, Any]], heading: str) -> Table:
    figures = [figure(row["score"]) for row in rows]
    terms = [term for term in SCORE if any(term in row["terms"] for row in rows)]
    near = FAR * min(found.value for found in figures)
    scale = _scale([found for found in figures if found.value <= near])
    lines = []
    for row, found in zip(rows, figures, strict=True):
        shares = [number(figure(row["terms"][term])) if term in row["terms"] else "–" for term in terms]
        cells = (number(found), half_width(found), *shares)
        told = f"{number(found)} ± {half_width(found)}"
        span = _span(found.value, found.interval, told, scale if found.value <= near else None)
        lines.append(Line(row["name"], cells, span, row["floor"]))
    ends = (f"{scale.low:.2f}", f"{scale.high:.2f}")
    notes = tuple(meaning for kind, meaning in MEANINGS.items() if any(kind == one.kind for one in figures))
    over = "families of pieces" if figures[0].of_families else "pieces"
    notes = (f"± half of the 95 % interval, had other {over} been drawn", *notes)
    return Table(title, (heading, "±", *terms), tuple(lines), ends, None, notes)


def _differences(found: Sequence[Mapping[str, Any]], unit: str) -> Iterator[Table]:
    """The paired differences, each with its interval beside 0; no table where there are none."""
    if not found:
        return
    near = [one for one in found if abs(one["value"]) <= _far(found)]
    known = [one["interval"] or (one["value"], one["value"]) for one in near]
    scale = Scale.around([0.0, *(end for interval in known for end in interval)], EDGE, WIDTH - EDGE)
    lines = []
    for one in found:
        interval = one["interval"]
        told = "–" if interval is None else "{:+.3f} … {:+.3f}".format(*interval)
        span = _span(one["value"], interval, f"{one['value']:+.3f}, {told}", scale if one in near else None)
        cells = (f"{one['value']:+.3f}", told, one["verdict"])
        lines.append(Line(f"{one['first']} − {one['second']}", cells, span))
    verdicts = {one["verdict"] for one in found}
    notes = [UNCLEAR] if "not clear" in verdicts else []
    notes += [OF_BOUNDS] if any(verdict.endswith("(bounds)") for verdict in verdicts) else []
    ends = (f"{scale.low:+.2f}", f"{scale.high:+.2f}")
    headings = (unit, "95 % interval", "verdict")
    yield Table("Paired differences", headings, tuple(lines), ends, scale(0), tuple(notes))


def _far(found: Sequence[Mapping[str, Any]]) -> float:
    """The difference from which on rows are off the scale, so that one does not flatten all others."""
    return APART * float(np.median([abs(one["value"]) for one in found]))


def _to_next(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The differences of a study, of each row to the one below it."""
    return [
        {"first": row["name"], "second": below["name"], **row["to_next"]}
        for row, below in pairwise(rows)
        if row.get("to_next")
    ]


def _scale(figures: Sequence[Figure]) -> Scale:
    ends = [end for found in figures for end in found.interval or (found.value, found.value)]
    return Scale.around(ends, EDGE, WIDTH - EDGE)


def _span(value: float, interval: Sequence[float] | None, told: str, scale: Scale | None) -> Span:
    if scale is None:
        return Span(None, None, None, told)
    low, high = (None, None) if interval is None else (scale(interval[0]), scale(interval[1]))
    return Span(scale(value), low, high, told)
