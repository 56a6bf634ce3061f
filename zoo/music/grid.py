"""How finely music is read, and where its notes end: choices that commands need before they need numpy."""

from __future__ import annotations

from typing import Literal, get_args

from zoo.errors import Problem, UsageError

Pedal = Literal["keep", "hold"]

QUARTERS = 64
"""Length of a new piece in quarter notes unless the user asks for another: 16 bars of 4/4."""
GRID = 4
"""Frames to a quarter note unless the user says otherwise: sixteenth notes."""
FINE_GRID = 24
"""Frames to a quarter note at which files are read to be heard; all but the finest ornaments fit."""
FINEST_GRID = 48
"""The most frames to a quarter note."""


def check_choices(grid: int, pedal: str) -> None:
    """Refuse a grid or a reading of the pedal that there is not.

    Raises:
        UsageError: the grid is not in 1..48, or the pedal neither `keep` nor `hold`.
    """
    if not 1 <= grid <= FINEST_GRID:
        what = f"a quarter note cannot have {grid} frames"
        raise UsageError(Problem(what, "grid", f"choose a whole number from 1 to {FINEST_GRID}"))
    if pedal not in get_args(Pedal):
        raise UsageError(Problem(f"the pedal cannot be read as {pedal!r}", "pedal", "choose keep or hold"))
