"""The Learning section: nats of the validation pieces over training time.

The nats of a core or decoder depend on the codes of its encoder. So runs share a chart only if they have the
same music, grid and encoder, and the same number of validation frames. Training losses are not shown, since
different objectives are not comparable.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.parts.kinds import FigureKind, marked
from zoo.parts.terms import TERMS
from zoo.report.scale import Scale
from zoo.train.metrics import MetricsFile, curves, kinds
from zoo.train.plan import read_plan

WIDTH, HEIGHT = 500, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 12, 34
"""Margins of a chart for its labels, in pixels."""
COLORS = 6
"""Number of colors in the style sheet."""
TITLES = {"core": "core: codes", "decoder": "decoder: keys, given the codes", "velocity": "velocity"}


@dataclass(frozen=True)
class Training:
    """The learning curves of a run.

    Attributes:
        name: display name of the run.
        plan: the parts, music and settings of the training; see `zoo.train.plan.plan`.
        curves: for each term, (seconds, nats per frame of the validation pieces).
        kinds: for each term, the kind of these nats; empty for older runs, which did not record it.
    """

    name: str
    plan: Mapping[str, Any]
    curves: Mapping[str, Sequence[tuple[float, float]]]
    kinds: Mapping[str, FigureKind]

    @classmethod
    def read(cls, folder: Path, name: str) -> Training:
        """Read a run folder.

        Raises:
            BundleError: its plan is damaged.
        """
        plan, events = read_plan(folder) or {}, list(MetricsFile(folder).events())
        return cls(name, plan, curves(events), kinds(events))

    def comparison_key(self, term: str) -> str:
        """Identifies everything that the nats of a term depend on; runs with the same key are comparable."""
        parts, train, data = (self.plan.get(key, {}) for key in ("parts", "train", "data"))
        music = (data.get("digest"), data.get("grid"), train.get("validate_frames"))
        return json.dumps([term, music, parts.get("encoder")], sort_keys=True)


@dataclass(frozen=True)
class Curve:
    """The curve of a run on a chart.

    Attributes:
        name: display name of the run.
        color: index of its color.
        points: the points of an SVG polyline.
        best_value: its lowest nats, as text.
        best_point: (x, y) of the lowest nats, in pixels.
    """

    name: str
    color: int
    points: str
    best_value: str
    best_point: tuple[float, float]


@dataclass(frozen=True)
class Chart:
    """A chart of nats over minutes; ticks are (position, text)."""

    title: str
    curves: tuple[Curve, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def charts(trainings: Sequence[Training]) -> Iterator[Chart]:
    """One chart for each term and each group of comparable runs."""
    colors = {training.name: number % COLORS for number, training in enumerate(trainings)}
    for term in TERMS:
        comparable: dict[str, list[Training]] = {}
        for training in trainings:
            if training.curves.get(term):
                comparable.setdefault(training.comparison_key(term), []).append(training)
        yield from (_chart(term, group, colors) for group in comparable.values())


def _chart(term: str, trainings: Sequence[Training], colors: Mapping[str, int]) -> Chart:
    points = {run.name: [(seconds / 60, nats) for seconds, nats in run.curves[term]] for run in trainings}
    all_points = [point for curve in points.values() for point in curve]
    x = Scale.around([0.0, *(minutes for minutes, _ in all_points)], LEFT, WIDTH - RIGHT)
    y = Scale.around([nats for _, nats in all_points], HEIGHT - BOTTOM, TOP)
    curves = []
    kinds = {run.name: run.kinds.get(term) for run in trainings}
    for name, curve in points.items():
        minutes, best = min(curve, key=lambda point: point[1])
        polyline = " ".join(f"{x(time)},{y(nats)}" for time, nats in curve)
        curves.append(Curve(name, colors[name], polyline, marked(best, kinds[name]), (x(minutes), y(best))))
    return Chart(
        f"{TITLES[term]}, nats per frame of the validation pieces",
        tuple(curves),
        tuple(x.ticks()),
        tuple(y.ticks()),
    )
