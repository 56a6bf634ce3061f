"""Tempo: how fast a piece on the grid is played, and where that changes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from zoo.music.score import Score

MICROSECONDS = 60_000_000
"""In a minute; a MIDI file states its tempo as microseconds to the quarter note."""
SLOWEST = 2**24 - 1
"""The most microseconds to the quarter note that a MIDI file can state."""
DEFAULT_TEMPO = 500_000
"""Microseconds to the quarter note before a file states any: 120 to the minute."""

STEADY = 0.02
"""By less than this part the beats of a performance differ in length at one tempo; it is hardly heard."""

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


def cut_tempo(tempo: float, changes: Changes, first: int, last: int) -> tuple[float, Changes]:
    """The steady tempo and the changes of tempo of the frames from `first` up to, without, `last`.

    Args:
        tempo: of the whole piece.
        changes: of the whole piece; may be empty.
        first: 0 or more.
        last: above `first`.
    """
    before = [(0, there) for frame, there in changes if frame <= first][-1:]
    kept = (*before, *((frame - first, there) for frame, there in changes if first < frame < last))
    if len(kept) < 2:
        return (kept[0][1] if kept else tempo), ()
    return steady_tempo(kept, last - first), kept


def played_at(
    frames: NDArray[np.int64], grid: int, tempo: float, changes: Changes = ()
) -> NDArray[np.float64]:
    """When frames begin, in seconds from the beginning of a piece.

    Args:
        frames: 0 or more.
        grid: frames to a quarter note.
        tempo: quarter notes per minute, where it does not change.
        changes: (frame, quarter notes per minute), the first at frame 0; may be empty.
    """
    starts = np.array([frame for frame, _ in changes] or [0], np.float64)
    lengths = 60 / np.array([there for _, there in changes] or [tempo]) / grid
    times = np.concatenate([[0.0], np.cumsum(np.diff(starts) * lengths[:-1])])
    at = np.searchsorted(starts, frames, side="right") - 1
    begun: NDArray[np.float64] = times[at] + (frames - starts[at]) * lengths[at]
    return begun


def steady_tempo(changes: Changes, frames: int) -> float:
    """Quarter notes per minute at which a piece lasts as long as with these changes of tempo.

    Args:
        changes: (frame, quarter notes per minute), the first at frame 0.
        frames: length of the piece; what happens after it is not looked at.
    """
    return tempo_map([(frame, microseconds(tempo)) for frame, tempo in changes], frames)[0]


def seconds(score: Score, ticks: NDArray[np.float64]) -> NDArray[np.float64]:
    """When ticks are played, by the tempo events of the file."""
    starts, times, lengths = _time_line(score)
    at = np.maximum(np.searchsorted(starts, ticks, side="right") - 1, 0)
    played: NDArray[np.float64] = times[at] + (ticks - starts[at]) * lengths[at]
    return played


def ticks_at(score: Score, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ticks that are played at times in seconds; not rounded."""
    starts, begun, lengths = _time_line(score)
    at = np.maximum(np.searchsorted(begun, times, side="right") - 1, 0)
    ticks: NDArray[np.float64] = starts[at] + (times - begun[at]) / lengths[at]
    return ticks


def _time_line(score: Score) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The tick of each tempo, the second at which it begins, and the seconds that a tick lasts from there."""
    changes = sorted({0: DEFAULT_TEMPO, **dict(score.tempos)}.items())
    starts = np.array([tick for tick, _ in changes], np.float64)
    lengths = np.array([tempo for _, tempo in changes]) / score.division / 1e6
    times = np.concatenate([[0.0], np.cumsum(np.diff(starts) * lengths[:-1])])
    return starts, times, lengths


def tempos_between(
    frames: NDArray[np.int64], times: NDArray[np.float64], grid: int, steady: float = 0.0
) -> list[tuple[int, int]]:
    """The tempo from each frame whose time is known to the next, as events for `tempo_map`.

    Args:
        frames: (N,) increasing.
        times: (N,) increasing, when the frames are played, in seconds.
        grid: frames to a quarter note.
        steady: by less than this part stretches differ in tempo that are joined to one: so a steady piece has
            a steady tempo although its beats are known to the millisecond only, and is in time where the
            joined stretch ends.
    """
    lengths = np.diff(times) / np.diff(frames)
    first, events = 0, [(0, DEFAULT_TEMPO)]
    for place in range(len(lengths)):
        if abs(lengths[place] / lengths[first] - 1) > steady:
            first = place
            events.append((int(frames[place]), 0))
        mean = (times[place + 1] - times[first]) / (frames[place + 1] - frames[first])
        events[-1] = events[-1][0], min(max(round(1e6 * grid * mean), 1), SLOWEST)
    return events


def microseconds(tempo: float) -> int:
    """A tempo in quarter notes per minute as a MIDI file states it."""
    return min(max(round(MICROSECONDS / tempo), 1), SLOWEST)
