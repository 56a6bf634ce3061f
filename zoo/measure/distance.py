"""Distances between two collections of passages, and their resampling distributions.

A measure gives N passages a table (N, S) of weights on S values; a collection is the sum of the rows. For a
measure with one number per passage, each row is one-hot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from zoo.measure.interval import Floats


def wasserstein(first: Floats, second: Floats, values: Floats) -> Floats:
    """The first Wasserstein (earth mover's) distance between weights (..., S) on increasing values (S,).

    It is in the unit of the values. In one dimension it is the area between the cumulative distributions.
    """
    gap = np.abs(np.cumsum(_normalize(first) - _normalize(second), axis=-1))
    distance: Floats = gap[..., :-1] @ np.diff(values)
    return distance


def jensen_shannon(first: Floats, second: Floats) -> Floats:
    """The Jensen-Shannon divergence (Lin 1991) between weights (..., S): 0 to ln 2, in nats."""
    p, q = _normalize(first), _normalize(second)
    mean = (p + q) / 2
    distance: Floats = (_kullback_leibler(p, mean) + _kullback_leibler(q, mean)) / 2
    return np.maximum(distance, 0)


def bootstrap_sums(table: Floats, times: int, seed: Sequence[int]) -> Floats:
    """Sums (times, S) of N rows drawn with replacement from the table (N, S) (Efron 1979)."""
    rows = len(table)
    drawn = np.random.default_rng(seed).multinomial(rows, np.full(rows, 1 / rows), size=times)
    sums: Floats = drawn @ table
    return sums


def permuted_sums(tables: Sequence[Floats], times: int, seed: Sequence[int]) -> Iterator[Floats]:
    """Sums (times, S) for each table after the rows of all tables were permuted among them."""
    rows = np.concatenate(tables)
    positions = np.tile(np.arange(len(rows)), (times, 1))
    permuted = np.random.default_rng(seed).permuted(positions, axis=1)
    first = 0
    for table in tables:
        is_assigned = (permuted >= first) & (permuted < first + len(table))
        yield is_assigned @ rows
        first += len(table)


def _normalize(weights: Floats) -> Floats:
    shares: Floats = weights / weights.sum(-1, keepdims=True)
    return shares


def _kullback_leibler(p: Floats, q: Floats) -> Floats:
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    nats: Floats = (p * np.log(ratio)).sum(-1)
    return nats
