"""Rounding to frames, by the same rule for notes, beats and bar lines."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.int64]
Places = NDArray[np.float64]
Integer = TypeVar("Integer", int, Frames)

SAME_PLACE = 1e-6
"""Positions closer than this, in frames, count as equal; ticks are longer, rounding errors smaller."""


def nearest(places: Places) -> Frames:
    """Round positions to the nearest frame; half a frame is rounded up."""
    return np.floor(places + 0.5 + SAME_PLACE).astype(np.int64)


def nearest_whole(over: Integer, under: Integer) -> Integer:
    """Round a fraction to the nearest integer, by the same rule and without rounding errors.

    Args:
        over: numerator, any integer.
        under: denominator, 1 or more.
    """
    return (2 * over + under) // (2 * under)
