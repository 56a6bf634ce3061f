"""Remarks about music that is obviously dull."""

from __future__ import annotations

import numpy as np

from zoo.music.roll import Roll

MAX_SILENCE, MAX_SAME_CHORD = 0.5, 0.8
"""Music is dull if a larger share of its frames is silent, or has the same chord."""


def dull(roll: Roll, first: int = 0) -> str:
    """Describe why music is dull: it is mostly silent, or mostly a single chord; empty if it is not dull.

    Args:
        roll: the music.
        first: first frame to consider, for example the end of the primer.
    """
    sounding = roll.sounding[first:]
    chords = sounding[sounding.any(1)]
    if len(sounding) == 0 or len(chords) == 0:
        return "it is silent"
    silent = 1 - len(chords) / len(sounding)
    if silent > MAX_SILENCE:
        return f"{silent:.0%} of it is silent"
    _, counts = np.unique(chords, axis=0, return_counts=True)
    same = counts.max() / len(sounding)
    return f"{same:.0%} of it is a single chord" if same > MAX_SAME_CHORD else ""
