"""Learning: nats of the validation pieces over minutes, on one axis only where they compare.

What a core is scored by depends on the codes that its encoder makes, and what a decoder is scored by on the
codes that it is given. So runs share an axis where they heard the same music, on the same grid, by the same
encoder, and were judged on as much of it. What training makes smaller is never shown: two objectives do not
compare.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.parts.terms import TERMS
from zoo.report.scale import Scale
from zoo.train.plan import begun_plan
from zoo.train.run import Run

WIDTH, HEIGHT = 500, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 12, 34
"""What a chart keeps for its labels, in pixels."""
COLOURS = 6
OF = {"core": "core: codes", "decoder": "decoder: keys, given the codes", "velocity": "velocity: how loud"}


@dataclass(frozen=True)
class Training:
    """How a run learned.

    Attributes:
        name: of the run.
        plan: what was trained on what; see `zoo.train.plan.plan`.
        curves: term -> (seconds, nats of the validation pieces).
    """

    name: str
    plan: Mapping[str, Any]
    curves: Mapping[str, Sequence[tuple[float, float]]]

    @classmethod
    def read(cls, folder: Path, name: str) -> Training:
        """The run in a folder.

        Raises:
            BundleError: what it says of itself is damaged.
        """
        return cls(name, begun_plan(folder) or {}, Run(folder).curves())

    def axis(self, term: str) -> str:
        """What nats of a term depend on; runs of one axis compare."""
        parts, train, data = (self.plan.get(key, {}) for key in ("parts", "train", "data"))
        music = (data.get("digest"), data.get("grid"), train.get("validate_frames"))
        return json.dumps([term, music, parts.get("encoder")], sort_keys=True)


@dataclass(frozen=True)
class Curve:
    """A run on a chart: its colour, its line as SVG takes it, and its best value with its place."""

    name: str
    colour: int
    points: str
    best: str
    place: tuple[float, float]


@dataclass(frozen=True)
class Chart:
    """A chart: nats upwards, minutes to the right; ticks are (place, text)."""

    title: str
    curves: tuple[Curve, ...]
    across: tuple[tuple[float, str], ...]
    upwards: tuple[tuple[float, str], ...]


def charts(trainings: Sequence[Training]) -> Iterator[Chart]:
    """A chart for each term, and more where runs do not compare."""
    colour = {training.name: number % COLOURS for number, training in enumerate(trainings)}
    for term in TERMS:
        axes: dict[str, list[Training]] = {}
        for training in trainings:
            if training.curves.get(term):
                axes.setdefault(training.axis(term), []).append(training)
        yield from (_chart(term, found, colour) for found in axes.values())


def _chart(term: str, trainings: Sequence[Training], colour: Mapping[str, int]) -> Chart:
    points = {one.name: [(seconds / 60, nats) for seconds, nats in one.curves[term]] for one in trainings}
    every = [point for curve in points.values() for point in curve]
    x = Scale.around([0.0, *(minutes for minutes, _ in every)], LEFT, WIDTH - RIGHT)
    y = Scale.around([nats for _, nats in every], HEIGHT - BOTTOM, TOP)
    curves = []
    for name, curve in points.items():
        minutes, best = min(curve, key=lambda point: point[1])
        drawn = " ".join(f"{x(a)},{y(b)}" for a, b in curve)
        curves.append(Curve(name, colour[name], drawn, f"{best:.3f}", (x(minutes), y(best))))
    return Chart(
        f"{OF[term]}, nats per frame of the validation pieces",
        tuple(curves),
        tuple(x.ticks()),
        tuple(y.ticks()),
    )
