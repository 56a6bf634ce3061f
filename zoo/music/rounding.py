"""Rounding: the one rule by which notes, beats and bar lines between two frames go to one of them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.int64]
Places = NDArray[np.float64]
Whole = TypeVar("Whole", int, Frames)

SAME_PLACE = 1e-6
"""Frames: places closer than this are one. A tick is longer on any grid, and arithmetic errs by less."""


def nearest(places: Places) -> Frames:
    """The nearest frame of each place; half a frame counts as the next."""
    return np.floor(places + 0.5 + SAME_PLACE).astype(np.int64)


def nearest_whole(over: Whole, under: Whole) -> Whole:
    """The nearest whole number to a quotient, by the same rule and without error.

    Args:
        over: any whole numbers.
        under: 1 or more.
    """
    return (2 * over + under) // (2 * under)
