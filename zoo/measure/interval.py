"""Intervals of means over frames, with respect to the choice of pieces and of seeds.

Pieces that share music, such as two harmonisations of a chorale, have similar scores. Treating them as
independent would make intervals too narrow, so the unit of an interval is a family of pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]


MAX_FREEDOM = 1000.0
"""Maximum degrees of freedom; beyond it, Student's t is practically normal."""


@dataclass(frozen=True)
class MeanEstimate:
    """A mean and its variance.

    Attributes:
        mean: nats per frame, or a difference of two such numbers.
        variance: variance of the mean.
        freedom: degrees of freedom of the variance.
    """

    mean: float
    variance: float
    freedom: float

    @property
    def interval(self) -> Interval:
        """95 % interval of the mean."""
        half = student_quantile(self.freedom) * self.variance**0.5
        return self.mean - half, self.mean + half

    @property
    def p_value(self) -> float:
        """Two-sided p-value of Student's t-test that the mean is 0."""
        if self.variance == 0:
            return float(self.mean == 0)
        angles, probability = _student_cdf(self.freedom)
        angle = -np.arctan(abs(self.mean) / (self.variance * self.freedom) ** 0.5)
        return float(2 * np.interp(angle, angles, probability))


def estimate_mean(nats: Floats, weight: Floats, families: Sequence[int] = ()) -> MeanEstimate | None:
    """The weighted mean of nats and its variance; None if there is only one family.

    For two models on the same pieces and seeds, pass the differences of their nats to get a paired interval.

    Pieces and seeds are crossed random effects. The variance of the mean is the sum of two terms: the
    variance over seeds, and the jackknife variance of the ratio over pieces. The interaction of both counts
    twice, which makes intervals slightly conservative. The degrees of freedom are Satterthwaite's (1946),
    with Kish's effective number of pieces (Survey Sampling, 1965), since long pieces have more weight. With
    as few as eleven pieces or five seeds, normal or bootstrap percentile intervals would be too narrow. With
    a single seed, the variance over seeds is unknown and left out. The jackknife leaves out all pieces of a
    family together, as clusters in surveys.

    Args:
        nats: (S, N), nats, or differences of nats, for each seed and piece.
        weight: (N,), weight of each piece, such as its frames.
        families: (N,), number of the family of each piece; if empty, each piece is its own.
    """
    if len(families):
        nats, weight = _sum_by_family(nats, families), _sum_by_family(weight, families)
    seeds, pieces = nats.shape
    if pieces < 2:
        return None
    total_weight = max(float(weight.sum()), 1.0)
    share = weight / total_weight
    mean = float(nats.mean(0).sum()) / total_weight
    # The exact change of the mean, up to its sign, when a piece is left out.
    change = (nats.mean(0) - mean * weight) / total_weight / np.maximum(1 - share, 1 / total_weight)
    variance_of_pieces = (pieces - 1) / pieces * float(change @ change)
    variance_of_seeds = float((nats.sum(1) / total_weight).var(ddof=1)) / seeds if seeds > 1 else 0.0
    variance = variance_of_pieces + variance_of_seeds
    if variance == 0:
        return MeanEstimate(mean, 0.0, 1.0)
    denominator = variance_of_pieces**2 / max(1 / float(share @ share) - 1, 1.0)
    denominator += variance_of_seeds**2 / (seeds - 1) if seeds > 1 else 0.0
    return MeanEstimate(mean, variance, min(variance**2 / denominator, MAX_FREEDOM))


def _sum_by_family(numbers: Floats, families: Sequence[int]) -> Floats:
    """Sum numbers (..., N) of pieces to numbers (..., F) of families."""
    members = np.unique(np.asarray(families), return_inverse=True)[1]
    one_hot = members[:, None] == np.arange(int(members.max()) + 1)
    sums: Floats = numbers @ one_hot
    return sums


def interval(nats: Floats, weight: Floats, families: Sequence[int] = ()) -> Interval | None:
    """95 % interval of the mean of nats (S, N) with weights (N,); None if there is only one family."""
    mean = estimate_mean(nats, weight, families)
    return mean.interval if mean else None


def student_quantile(freedom: float) -> float:
    """The 97.5 % quantile of Student's t."""
    angles, probability = _student_cdf(freedom)
    return float(np.sqrt(freedom) * np.tan(np.interp(0.975, probability, angles)))


def _student_cdf(freedom: float) -> tuple[Floats, Floats]:
    """Angles and the cumulative probability of Student's t at x = sqrt(freedom) tan(angle).

    The density of the angle is a power of the cosine, which is integrated numerically; this saves a
    dependency on scipy.
    """
    angles = np.linspace(-np.pi / 2, np.pi / 2, 20001)
    density = np.cos(angles) ** (freedom - 1)
    probability = np.cumsum(density[1:] + density[:-1])
    return angles[1:], probability / probability[-1]


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for multiple comparisons with Holm's method.

    Of n p-values, the lowest is multiplied by n, the next by n - 1, and so on; none becomes lower than one
    before it. The tests may depend on each other in any way (Holm, A simple sequentially rejective multiple
    test procedure, 1979).
    """
    corrected, lowest = list(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        lowest = min(1.0, max(lowest, (len(p_values) - rank) * p_values[index]))
        corrected[index] = lowest
    return corrected
