"""Resemblance: what a model writes beside unseen music, each measure with its interval and its floor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.measure.resemblance import Likeness, Resemblance
from zoo.measure.table import FEW
from zoo.report.scale import Scale

WIDTH, EDGE = 200, 4
"""Of a drawing in pixels, and what it keeps clear at either end."""


@dataclass(frozen=True)
class Measured:
    """A measure as it is printed and drawn; places are in pixels, from 0 at the left.

    Attributes:
        name: of the measure, with its unit.
        cells: mean of what is written, mean of what is unseen, how far apart they are.
        verdict: `different` or `not clear`.
        start: where 0 lies.
        floor: where the floor ends.
        place: of the distance.
        low: where its interval begins; None where it is not known.
        high: where it ends.
    """

    name: str
    cells: tuple[str, str, str]
    verdict: str
    start: float
    floor: float
    place: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Beside:
    """The measures of one model.

    Attributes:
        title: which model, and how many passages stand behind it.
        measures: one by one.
        few: whether there are so few passages that distances are high by chance alone.
    """

    title: str
    measures: tuple[Measured, ...]
    few: bool


def likeness_tables(result: Mapping[str, Any]) -> Iterator[Beside]:
    """The measures of each model in what `zoo evaluate --json` has printed; a study has none."""
    shown: list[Any] = []
    for row in result["rows"]:
        found = row.get("resemblance")
        if found is not None and found not in shown:
            shown.append(found)
            yield _beside(row["name"], Resemblance.from_json(found))


def _beside(name: str, found: Resemblance) -> Beside:
    written, *unseen = found.passages
    title = (
        f"{name}: {written} passages of {found.frames} frames beside {' + '.join(map(str, unseen))} unseen"
    )
    return Beside(title, tuple(map(_measured, found.likenesses)), min(found.passages) < FEW)


def _measured(found: Likeness) -> Measured:
    ends: Sequence[float] = found.interval or (found.distance, found.distance)
    scale = Scale.around([0.0, found.floor, found.distance, *ends], EDGE, WIDTH - EDGE)
    means = (found.generated, found.held_out)
    written, unseen = ("–" if mean is None else f"{mean:.3f}" for mean in means)
    low, high = (None, None) if found.interval is None else map(scale, found.interval)
    return Measured(
        name=found.measure if found.unit is None else f"{found.measure} ({found.unit})",
        cells=(written, unseen, f"{found.distance:.3f}"),
        verdict=found.verdict,
        start=scale(0.0),
        floor=scale(found.floor),
        place=scale(found.distance),
        low=low,
        high=high,
    )
