"""Intervals of a mean over frames, had other pieces been played and other seeds been drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]


def interval(nats: Floats, weight: Floats) -> Interval | None:
    """95 % interval of the mean of (S, N) nats over weights (N,); None where there is only one piece.

    Of two models on the same pieces and seeds, give the difference of their nats: that is the paired
    interval. Pieces and seeds are crossed random effects. The variance of the mean is that of the seeds'
    means plus that of the pieces (the jackknife's, of a ratio; what both do together counts twice, which
    errs on the wide side), and its degrees of freedom are Satterthwaite's (1946), of as many pieces as
    would weigh alike (Kish, Survey sampling, 1965). Eleven pieces or five seeds are few: percentiles of a
    bootstrap, or a normal interval, would be too narrow for them. One seed alone says nothing of seeds:
    its interval is over pieces.

    Args:
        nats: of each piece from each seed, or their difference.
        weight: of each piece, such as its frames.
    """
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
        return mean, mean
    spread = of_pieces**2 / max(1 / float(share @ share) - 1, 1.0)
    spread += of_seeds**2 / (seeds - 1) if seeds > 1 else 0.0
    half = student(variance**2 / spread) * variance**0.5
    return mean - half, mean + half


def student(freedom: float) -> float:
    """The 97.5 % point of Student's t.

    With x = sqrt(freedom) tan(angle) its density is a power of the cosine, which is summed up numerically.
    """
    freedom = min(freedom, 1000.0)
    angles = np.linspace(-np.pi / 2, np.pi / 2, 20001)
    density = np.cos(angles) ** (freedom - 1)
    below = np.cumsum(density[1:] + density[:-1])
    return float(np.sqrt(freedom) * np.tan(np.interp(0.975, below / below[-1], angles[1:])))
