"""How surely a mean over frames is known: had other pieces been played, and other seeds been drawn.

Pieces that share music, such as two harmonisations of one chorale, score alike: counted as independent they
would make every interval too narrow. Wherever the families of pieces are known, an interval is over families.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]


MANY = 1000.0
"""Degrees of freedom beyond which Student's t is as good as normal."""


@dataclass(frozen=True)
class Spread:
    """A mean, and how far it would scatter.

    Attributes:
        mean: nats per frame, or a difference of them.
        variance: of the mean.
        freedom: degrees of freedom of the variance.
    """

    mean: float
    variance: float
    freedom: float

    @property
    def interval(self) -> Interval:
        """95 % interval of the mean."""
        half = student(self.freedom) * self.variance**0.5
        return self.mean - half, self.mean + half

    @property
    def p_value(self) -> float:
        """How often a mean of 0 would come out so far from it, on either side: the p-value of Student's t."""
        if self.variance == 0:
            return float(self.mean == 0)
        angles, below = _cumulative(self.freedom)
        angle = -np.arctan(abs(self.mean) / (self.variance * self.freedom) ** 0.5)
        return float(2 * np.interp(angle, angles, below))


def spread(nats: Floats, weight: Floats, families: Sequence[int] = ()) -> Spread | None:
    """The mean of (S, N) nats over weights (N,), and how it would scatter; None where there is one family.

    Of two models on the same pieces and seeds, give the difference of their nats: that is the paired
    spread. Pieces and seeds are crossed random effects. The variance of the mean is that of the seeds'
    means plus that of the pieces (the jackknife's, of a ratio; what both do together counts twice, which
    errs on the wide side), and its degrees of freedom are Satterthwaite's (1946), of as many pieces as
    would weigh alike (Kish, Survey sampling, 1965). Eleven pieces or five seeds are few: percentiles of a
    bootstrap, or a normal interval, would be too narrow for them. One seed alone says nothing of seeds:
    then the spread is over pieces. The pieces of a family are left out of the jackknife together, as clusters
    are in surveys, and count as one piece.

    Args:
        nats: of each piece from each seed, or their difference.
        weight: of each piece, such as its frames.
        families: (N,) number of the family of each piece; where there are none, each piece is its own.
    """
    if len(families):
        nats, weight = _merged(nats, families), _merged(weight, families)
    seeds, pieces = nats.shape
    if pieces < 2:
        return None
    whole = max(float(weight.sum()), 1.0)
    share = weight / whole
    mean = float(nats.mean(0).sum()) / whole
    apart = (nats.mean(0) - mean * weight) / whole / np.maximum(1 - share, 1 / whole)
    of_pieces = (pieces - 1) / pieces * float(apart @ apart)
    of_seeds = float((nats.sum(1) / whole).var(ddof=1)) / seeds if seeds > 1 else 0.0
    variance = of_pieces + of_seeds
    if variance == 0:
        return Spread(mean, 0.0, 1.0)
    fourth = of_pieces**2 / max(1 / float(share @ share) - 1, 1.0)
    fourth += of_seeds**2 / (seeds - 1) if seeds > 1 else 0.0
    return Spread(mean, variance, min(variance**2 / fourth, MANY))


def _merged(numbers: Floats, families: Sequence[int]) -> Floats:
    """Numbers (..., N) of pieces added up to those (..., F) of their families."""
    members = np.unique(np.asarray(families), return_inverse=True)[1]
    belongs = members[:, None] == np.arange(int(members.max()) + 1)
    sums: Floats = numbers @ belongs
    return sums


def interval(nats: Floats, weight: Floats, families: Sequence[int] = ()) -> Interval | None:
    """95 % interval of the mean of (S, N) nats over weights (N,); None where there is only one family."""
    found = spread(nats, weight, families)
    return found.interval if found else None


def student(freedom: float) -> float:
    """The 97.5 % point of Student's t."""
    angles, below = _cumulative(freedom)
    return float(np.sqrt(freedom) * np.tan(np.interp(0.975, below, angles)))


def _cumulative(freedom: float) -> tuple[Floats, Floats]:
    """Angles, and how much of Student's t lies below them, where x = sqrt(freedom) tan(angle).

    The density of the angle is a power of the cosine, which is summed up numerically.
    """
    angles = np.linspace(-np.pi / 2, np.pi / 2, 20001)
    density = np.cos(angles) ** (freedom - 1)
    below = np.cumsum(density[1:] + density[:-1])
    return angles[1:], below / below[-1]


def holm(chances: Sequence[float]) -> list[float]:
    """The same chances when all are looked at together, as alone one in 20 of nothing is below 0.05.

    Holm, A simple sequentially rejective multiple test procedure, 1979: the lowest chance counts as often
    as there are chances, the next once less, and none less than one before it. It asks nothing of how they
    hang together.
    """
    corrected, least = list(chances), 0.0
    for rank, index in enumerate(sorted(range(len(chances)), key=lambda index: chances[index])):
        least = min(1.0, max(least, (len(chances) - rank) * chances[index]))
        corrected[index] = least
    return corrected
