"""Remarks: what a listener would complain of at once, said before anyone listens."""

from __future__ import annotations

import numpy as np

from zoo.music.roll import Roll

SILENT, SAME = 0.5, 0.8
"""Shares of frames from which on music is mostly silent, or hardly leaves one chord."""


def dull(roll: Roll, first: int = 0) -> str:
    """What is wrong with music that is hardly any: silence, or one chord; empty where it moves.

    Args:
        roll: the music.
        first: the frame from which on it is looked at, such as the end of a primer.
    """
    sounding = roll.sounding[first:]
    heard = sounding[sounding.any(1)]
    if len(sounding) == 0 or len(heard) == 0:
        return "nothing sounds in it"
    silent = 1 - len(heard) / len(sounding)
    if silent > SILENT:
        return f"{silent:.0%} of it is silent"
    _, counts = np.unique(heard, axis=0, return_counts=True)
    same = counts.max() / len(sounding)
    return f"{same:.0%} of it is one and the same chord" if same > SAME else ""
