"""Options for reading music: the grid and the pedal; without numpy, so that commands start quickly."""

from __future__ import annotations

from typing import Literal, get_args

from zoo.errors import Problem, UsageError

Pedal = Literal["keep", "hold"]

QUARTERS = 64
"""Default length of a generated piece in quarter notes: 16 bars of 4/4."""
GRID = 4
"""Default number of frames per quarter note: a frame is a sixteenth."""
FINE_GRID = 24
"""Frames per quarter note for files that are read for listening; it fits all but the finest ornaments."""
FINEST_GRID = 48
"""Maximum number of frames per quarter note."""


def check_choices(grid: int, pedal: str) -> None:
    """Check the grid and the pedal setting.

    Raises:
        UsageError: the grid is not in 1..48, or the pedal setting is neither `keep` nor `hold`.
    """
    if not 1 <= grid <= FINEST_GRID:
        what = f"a quarter note cannot have {grid} frames"
        raise UsageError(Problem(what, "grid", f"choose a whole number from 1 to {FINEST_GRID}"))
    if pedal not in get_args(Pedal):
        raise UsageError(Problem(f"there is no pedal setting {pedal!r}", "pedal", "choose keep or hold"))
