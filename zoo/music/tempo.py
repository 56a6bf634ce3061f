"""Tempo: how fast a piece on the grid is played, and where that changes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, pairwise

MICROSECONDS = 60_000_000
"""In a minute; a MIDI file states its tempo as microseconds to the quarter note."""
SLOWEST = 2**24 - 1
"""The most microseconds to the quarter note that a MIDI file can state."""
DEFAULT_TEMPO = 500_000
"""Microseconds to the quarter note before a file states any: 120 to the minute."""

Changes = tuple[tuple[int, float], ...]


def tempo_map(events: Iterable[tuple[int, int]], frames: int) -> tuple[float, Changes]:
    """The steady tempo of a piece and the changes of its tempo.

    Args:
        events: (frame, microseconds to the quarter note) in the order of their frames; of several in one
            frame the last counts.
        frames: length of the piece; what happens after it is not looked at.

    Returns:
        Quarter notes per minute at which the piece would last as long as it does, and (frame, quarter notes
        per minute) of every change, the first at frame 0; no changes where the tempo is steady.
    """
    inside = [(max(frame, 0), tempo) for frame, tempo in events if frame < max(frames, 1)]
    last_of_frame = dict([(0, DEFAULT_TEMPO), *inside])
    changes = [next(same) for _, same in groupby(last_of_frame.items(), key=lambda change: change[1])]
    lengths = [after - before for before, after in pairwise([*(frame for frame, _ in changes), frames])]
    if len(changes) == 1:
        return MICROSECONDS / changes[0][1], ()
    duration = sum(length * tempo for length, (_, tempo) in zip(lengths, changes, strict=True))
    return MICROSECONDS * frames / duration, tuple((frame, MICROSECONDS / tempo) for frame, tempo in changes)


def microseconds(tempo: float) -> int:
    """A tempo in quarter notes per minute as a MIDI file states it."""
    return min(max(round(MICROSECONDS / tempo), 1), SLOWEST)
