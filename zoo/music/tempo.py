"""Tempo: convert between ticks, frames and seconds, and find tempo changes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from zoo.music.score import Score

MICROSECONDS = 60_000_000
"""Microseconds in a minute; MIDI files state the tempo in microseconds per quarter note."""
SLOWEST = 2**24 - 1
"""Maximum number of microseconds per quarter note in a MIDI file."""
DEFAULT_TEMPO = 500_000
"""Microseconds per quarter note if a file states no tempo: 120 quarter notes per minute."""

STEADY = 0.02
"""In performances, tempo differences below this ratio are ignored; they are hardly audible."""

Changes = tuple[tuple[int, float], ...]


def tempo_map(events: Iterable[tuple[int, int]], frames: int) -> tuple[float, Changes]:
    """The mean tempo of a piece, and its tempo changes.

    Args:
        events: (frame, microseconds per quarter note), sorted by frame; if a frame has several, the last one
            counts.
        frames: length of the piece; later events are ignored.

    Returns:
        The mean tempo in quarter notes per minute, at which the piece has the same duration, and the changes
        as (frame, quarter notes per minute), the first at frame 0; empty if the tempo is constant.
    """
    inside = [(max(frame, 0), tempo) for frame, tempo in events if frame < max(frames, 1)]
    by_frame = dict([(0, DEFAULT_TEMPO), *inside])
    changes = [next(same) for _, same in groupby(by_frame.items(), key=lambda change: change[1])]
    lengths = [after - before for before, after in pairwise([*(frame for frame, _ in changes), frames])]
    if len(changes) == 1:
        return MICROSECONDS / changes[0][1], ()
    duration = sum(length * tempo for length, (_, tempo) in zip(lengths, changes, strict=True))
    return MICROSECONDS * frames / duration, tuple((frame, MICROSECONDS / tempo) for frame, tempo in changes)


def cut_tempo(tempo: float, changes: Changes, first: int, last: int) -> tuple[float, Changes]:
    """The mean tempo and the tempo changes of an excerpt.

    Args:
        tempo: mean tempo of the whole piece.
        changes: tempo changes of the whole piece; may be empty.
        first: first frame of the excerpt, 0 or more.
        last: frame after its last; greater than `first`.
    """
    before = [(0, tempo_then) for frame, tempo_then in changes if frame <= first][-1:]
    inside = ((frame - first, tempo_then) for frame, tempo_then in changes if first < frame < last)
    excerpt = (*before, *inside)
    if len(excerpt) < 2:
        return (excerpt[0][1] if excerpt else tempo), ()
    return mean_tempo(excerpt, last - first), excerpt


def played_at(
    frames: NDArray[np.int64], grid: int, tempo: float, changes: Changes = ()
) -> NDArray[np.float64]:
    """The times at which frames begin, in seconds from the beginning of the piece.

    Args:
        frames: 0 or more.
        grid: frames per quarter note.
        tempo: quarter notes per minute, used if there are no changes.
        changes: (frame, quarter notes per minute), the first at frame 0; may be empty.
    """
    starts = np.array([frame for frame, _ in changes] or [0], np.float64)
    durations = 60 / np.array([tempo_then for _, tempo_then in changes] or [tempo]) / grid
    start_times = np.concatenate([[0.0], np.cumsum(np.diff(starts) * durations[:-1])])
    section = np.searchsorted(starts, frames, side="right") - 1
    times: NDArray[np.float64] = start_times[section] + (frames - starts[section]) * durations[section]
    return times


def mean_tempo(changes: Changes, frames: int) -> float:
    """The constant tempo, in quarter notes per minute, at which a piece has the same duration.

    Args:
        changes: (frame, quarter notes per minute), the first at frame 0.
        frames: length of the piece; later changes are ignored.
    """
    return tempo_map([(frame, microseconds(tempo)) for frame, tempo in changes], frames)[0]


def seconds(score: Score, ticks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert ticks to seconds, by the tempo events of the file."""
    starts, start_times, durations = _tempo_sections(score)
    section = np.maximum(np.searchsorted(starts, ticks, side="right") - 1, 0)
    times: NDArray[np.float64] = start_times[section] + (ticks - starts[section]) * durations[section]
    return times


def ticks_at(score: Score, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert seconds to ticks, not rounded."""
    starts, start_times, durations = _tempo_sections(score)
    section = np.maximum(np.searchsorted(start_times, times, side="right") - 1, 0)
    ticks: NDArray[np.float64] = starts[section] + (times - start_times[section]) / durations[section]
    return ticks


def _tempo_sections(score: Score) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Start tick, start time in seconds, and duration of a tick in seconds of each section of one tempo."""
    changes = sorted({0: DEFAULT_TEMPO, **dict(score.tempos)}.items())
    starts = np.array([tick for tick, _ in changes], np.float64)
    durations = np.array([tempo for _, tempo in changes]) / score.division / 1e6
    start_times = np.concatenate([[0.0], np.cumsum(np.diff(starts) * durations[:-1])])
    return starts, start_times, durations


def tempos_between(
    frames: NDArray[np.int64], times: NDArray[np.float64], grid: int, steady: float = 0.0
) -> list[tuple[int, int]]:
    """The tempo between frames whose times are known, as events for `tempo_map`.

    Args:
        frames: (N,) increasing.
        times: (N,) increasing, times of the frames in seconds.
        grid: frames per quarter note.
        steady: adjacent sections whose tempos differ by less than this ratio are joined, so that the tempo of
            a steady piece is constant although its beats are only known to the millisecond. The end of a
            joined section is still exactly in time.
    """
    durations = np.diff(times) / np.diff(frames)
    first, events = 0, [(0, DEFAULT_TEMPO)]
    for index in range(len(durations)):
        # Compare with the start of the section, not its mean: a slow ritardando must not be joined.
        if abs(durations[index] / durations[first] - 1) > steady:
            first = index
            events.append((int(frames[index]), 0))
        mean = (times[index + 1] - times[first]) / (frames[index + 1] - frames[first])
        events[-1] = events[-1][0], min(max(round(1e6 * grid * mean), 1), SLOWEST)
    return events


def microseconds(tempo: float) -> int:
    """Convert quarter notes per minute to microseconds per quarter note."""
    return min(max(round(MICROSECONDS / tempo), 1), SLOWEST)
