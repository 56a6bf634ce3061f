"""Distances between two collections of passages, and how they scatter when other passages had been drawn.

What a measure finds in N passages is a table (N, S) of weights on S values; a collection is the sum of its
rows. One number for each passage is a row with a single 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from zoo.measure.interval import Floats


def wasserstein(first: Floats, second: Floats, values: Floats) -> Floats:
    """How far the weights (..., S) of one must be moved along the values (S,), rising, to become the other's.

    The first Wasserstein or earth mover's distance, in the unit of the values: on a line it is the area
    between the cumulated shares.
    """
    apart = np.abs(np.cumsum(_shares(first) - _shares(second), axis=-1))
    distance: Floats = apart[..., :-1] @ np.diff(values)
    return distance


def jensen_shannon(first: Floats, second: Floats) -> Floats:
    """The divergence of Lin (1991) between weights (..., S): nats, 0 where shares are equal, at most ln 2."""
    one, other = _shares(first), _shares(second)
    middle = (one + other) / 2
    distance: Floats = (_divergence(one, middle) + _divergence(other, middle)) / 2
    return np.maximum(distance, 0)


def resampled(table: Floats, times: int, seed: Sequence[int]) -> Floats:
    """Sums (times, S) of the rows (N, S), each of N rows drawn with replacement (Efron 1979)."""
    rows = len(table)
    drawn = np.random.default_rng(seed).multinomial(rows, np.full(rows, 1 / rows), size=times)
    sums: Floats = drawn @ table
    return sums


def shuffled(tables: Sequence[Floats], times: int, seed: Sequence[int]) -> Iterator[Floats]:
    """For each table its sums (times, S) when as many rows are dealt to it from the rows of all."""
    rows = np.concatenate(tables)
    places = np.tile(np.arange(len(rows)), (times, 1))
    dealt = np.random.default_rng(seed).permuted(places, axis=1)
    first = 0
    for table in tables:
        own = (dealt >= first) & (dealt < first + len(table))
        yield own @ rows
        first += len(table)


def _shares(weights: Floats) -> Floats:
    shares: Floats = weights / weights.sum(-1, keepdims=True)
    return shares


def _divergence(first: Floats, second: Floats) -> Floats:
    ratio = np.divide(first, second, out=np.ones_like(first), where=first > 0)
    nats: Floats = (first * np.log(ratio)).sum(-1)
    return nats
