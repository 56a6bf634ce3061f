"""Figures: means over frames with their kind, interval and sample size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.measure.interval import Floats, Interval, interval
from zoo.parts.kinds import FigureKind, marked


@dataclass(frozen=True)
class Figure:
    """A ratio of two sums over pieces, such as nats per frame.

    Attributes:
        value: the ratio; all frames have the same weight, so long pieces have more weight.
        kind: whether the value is exact, a bound or an estimate.
        interval: 95 % interval over families of pieces; None if all pieces are of one family.
        error: standard error of estimation by sampling; None if nothing was sampled.
        count: number of frames, or of struck notes for velocities.
        pieces: number of pieces.
        families: number of families of pieces, the sample size of the interval.
    """

    value: float
    kind: FigureKind
    interval: Interval | None
    error: float | None
    count: int
    pieces: int
    families: int

    def __str__(self) -> str:
        half = "" if self.half_width is None else f" ± {self.half_width:.3f}"
        return f"{marked(self.value, self.kind)}{half}"

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval; None if there is none."""
        return None if self.interval is None else (self.interval[1] - self.interval[0]) / 2

    @property
    def of_families(self) -> str:
        """Suffix for a number of pieces, such as " in 33 families"; empty if each piece is its own family."""
        if self.families == self.pieces:
            return ""
        return " in 1 family" if self.families == 1 else f" in {self.families} families"


def mean(
    total: Floats,
    weight: Floats,
    kind: FigureKind = "exact",
    variance: Floats | None = None,
    families: Sequence[int] = (),
) -> Figure:
    """The weighted mean of totals per piece.

    Args:
        total: (N,) or, for several seeds, (S, N): total of each piece, such as its nats.
        weight: (N,), weight of each piece, such as its frames.
        kind: kind of the totals.
        variance: (N,), sampling variance of each total; None if they were not sampled.
        families: (N,), number of the family of each piece; if empty, each piece is its own.
    """
    totals, weights = np.atleast_2d(total), max(float(weight.sum()), 1.0)
    return Figure(
        value=float(totals.mean(0).sum()) / weights,
        kind=kind,
        interval=interval(totals, weight, families),
        error=None if variance is None else float(np.sqrt(variance.sum())) / len(totals) / weights,
        count=int(weight.sum()),
        pieces=len(weight),
        families=len(set(families)) or len(weight),
    )
