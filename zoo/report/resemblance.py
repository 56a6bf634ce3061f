"""The Resemblance section: generated next to held-out music, each measure with its interval and its floor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.measure.resemblance import Likeness, Resemblance
from zoo.measure.table import FEW
from zoo.report.scale import Scale

WIDTH, MARGIN = 200, 4
"""Width of a drawing and of its empty margin on either side, in pixels."""


@dataclass(frozen=True)
class MeasureRow:
    """A measure as printed and drawn; positions are in pixels from the left.

    Attributes:
        name: name of the measure, with its unit.
        cells: mean of the generated passages, mean of the held-out ones, and their distance.
        verdict: `different`, `not clear` or `too few`.
        zero: position of 0.
        floor: position of the floor.
        distance: position of the distance.
        low: lower end of its interval; None if unknown.
        high: upper end of its interval; None if unknown.
    """

    name: str
    cells: tuple[str, str, str]
    verdict: str
    zero: float
    floor: float
    distance: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ResemblanceTable:
    """The measures of one model.

    Attributes:
        title: name of the model and number of passages.
        rows: one for each measure.
        has_few_passages: whether there are so few passages that distances are high by chance alone.
    """

    title: str
    rows: tuple[MeasureRow, ...]
    has_few_passages: bool


def resemblance_tables(result: Mapping[str, Any]) -> Iterator[ResemblanceTable]:
    """The measures of each model in a result of `zoo evaluate --json`; a study has none."""
    shown: list[Any] = []
    for row in result["rows"]:
        content = row.get("resemblance")
        if content is not None and content not in shown:
            shown.append(content)
            yield _table(row["name"], Resemblance.from_json(content))


def _table(name: str, resemblance: Resemblance) -> ResemblanceTable:
    return ResemblanceTable(
        title=f"{name}: {resemblance.compared}",
        rows=tuple(map(_row, resemblance.likenesses)),
        has_few_passages=min(resemblance.passages) < FEW,
    )


def _row(likeness: Likeness) -> MeasureRow:
    ends: Sequence[float] = likeness.interval or (likeness.distance, likeness.distance)
    scale = Scale.around([0.0, likeness.floor, likeness.distance, *ends], MARGIN, WIDTH - MARGIN)
    means = (likeness.generated, likeness.held_out)
    generated, held_out = ("–" if mean is None else f"{mean:.3f}" for mean in means)
    low, high = (None, None) if likeness.interval is None else map(scale, likeness.interval)
    return MeasureRow(
        name=likeness.measure if likeness.unit is None else f"{likeness.measure} ({likeness.unit})",
        cells=(generated, held_out, f"{likeness.distance:.3f}"),
        verdict=likeness.verdict,
        zero=scale(0.0),
        floor=scale(likeness.floor),
        distance=scale(likeness.distance),
        low=low,
        high=high,
    )
