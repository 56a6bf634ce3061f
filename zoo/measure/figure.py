"""Figures: a mean over frames with its kind, its interval and how much music stands behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zoo.measure.interval import Floats, Interval, interval

Kind = Literal["exact", "bound", "estimate", "estimated bound"]
"""What a number of nats promises. A `bound`: the true one is not higher. An `estimate`: it is known up
to its standard error. An `estimated bound`, as a sum of both is: the true one is not higher than
something that is known up to a standard error."""

MARKS: dict[Kind, str] = {"exact": "", "bound": "≤", "estimate": "~", "estimated bound": "≲"}


def joined(kinds: Iterable[Kind]) -> Kind:
    """The kind of a sum: it inherits every weakness of its terms."""
    found = set(kinds)
    if "estimated bound" in found or {"bound", "estimate"} <= found:
        return "estimated bound"
    if "bound" in found:
        return "bound"
    return "estimate" if "estimate" in found else "exact"


@dataclass(frozen=True)
class Figure:
    """A ratio of two sums over pieces, such as nats per frame.

    Attributes:
        value: the ratio; a long piece weighs more, a frame is a frame.
        kind: what the value promises.
        interval: 95 %, had other pieces been drawn; None where all are of one family.
        error: standard error of what was estimated by sampling; None where nothing was.
        count: frames (for velocities, struck notes) it is a mean over.
        pieces: how many pieces those are of.
        families: how many of them share no music with each other; these the interval is over.
    """

    value: float
    kind: Kind
    interval: Interval | None
    error: float | None
    count: int
    pieces: int
    families: int

    def __str__(self) -> str:
        half = "" if self.half_width is None else f" ± {self.half_width:.3f}"
        return f"{MARKS[self.kind]}{' ' if MARKS[self.kind] else ''}{self.value:.3f}{half}"

    @property
    def half_width(self) -> float | None:
        """Half of the interval, for tables."""
        return None if self.interval is None else (self.interval[1] - self.interval[0]) / 2

    @property
    def of_families(self) -> str:
        """What a caption adds to the number of pieces: " in 33 families"; nothing where each is its own."""
        if self.families == self.pieces:
            return ""
        return " in 1 family" if self.families == 1 else f" in {self.families} families"


def mean(
    total: Floats,
    weight: Floats,
    kind: Kind = "exact",
    variance: Floats | None = None,
    families: Sequence[int] = (),
) -> Figure:
    """The figure of totals (N,), or (S, N) from each seed, over weights (N,).

    Args:
        total: of each piece, such as its nats.
        weight: of each piece, such as its frames.
        kind: what the totals promise.
        variance: sampling variance of each total, where they were estimated by sampling.
        families: number of each piece's family; where there are none, each piece is its own.
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
