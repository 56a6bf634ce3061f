"""Quantise the notes of a score to frames of the grid, and count what that loses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zoo.music.notes import Notes
from zoo.music.rounding import SAME_PLACE, nearest
from zoo.music.score import Score, Ticks
from zoo.parts.piano import KEYS, LOWEST_KEY

Places = NDArray[np.float64]
Mask = NDArray[np.bool_]

APART = 0.25
"""Part of a frame by which a note counts as moved, and two notes as written one after the other."""
CHANGED = 0.5
"""A note counts as lengthened or shortened if its length changes by more than this part of a frame."""
SHORT = 0.5
"""A grace note is shorter than this part of a frame; a note of that length is a thirty-second of a run."""
LEGATO = 0.125
"""Maximum gap, as a part of a frame, between a grace note and its main note."""
MIN_RATIO = 2
"""The main note is longer than the grace note by at least this factor."""
SECOND = 2
"""Maximum interval in semitones between a grace note without length and its main note."""
MAX_GRACES = 4
"""Maximum number of grace notes before a main note, as in a slide or a turn; more notes are a run."""


STILL_PLAYED = frozenset({"merged", "moved", "lengthened", "shortened", "grace notes"})
"""Kinds of losses that change a note; all others, such as `doubled`, leave it out."""


class Grid(Protocol):
    """Maps ticks to positions on the grid."""

    def positions(self, ticks: Ticks) -> Places:
        """The positions of ticks in frames, not rounded."""


@dataclass(frozen=True)
class Quantised:
    """Notes on the grid, and what quantising lost.

    The counts show whether the grid is fine enough for the piece. A note may be counted under several names.

    Attributes:
        notes: the notes, on one keyboard.
        losses: number of notes that differ from the score, by kind; only counts above 0.
            `merged`: notes that share a frame with a note written at least a quarter of a frame earlier, as
            in trills and runs of thirty-seconds. `struck again`: notes that are lost because their key is
            already struck in the same frame by a note at least a quarter of a frame earlier. `doubled`: notes
            that are lost because another voice strikes the same key at the same time. `moved`: notes moved by
            more than a quarter of a frame. `lengthened`, `shortened`: notes whose length changes by more than
            half a frame. `grace notes`: notes put in the frame before their main note.
        left_out: number of notes that are not in `notes`, by reason; only counts above 0.
            `outside the 88 keys`; `grace notes before the first frame`, for which there is no frame.
    """

    notes: Notes
    losses: Mapping[str, int]
    left_out: Mapping[str, int]


def quantise(score: Score, grid: Grid) -> Quantised:
    """Put a score on the grid, with all voices merged onto one keyboard.

    Starts and ends are rounded to the nearest frame; half a frame is rounded up. Every note lasts at least
    one frame. Two kinds of short notes are moved to the frame before the nearest one: notes that end before
    their nearest frame begins (so that eight beats of thirty-seconds last eight beats), and grace notes,
    which must not coincide with their main note.
    """
    key = score.pitch - LOWEST_KEY
    inside = np.flatnonzero((key >= 0) & (key < KEYS))
    key, velocity = key[inside], score.velocity[inside]
    written_start = grid.positions(score.start[inside])
    written_end = grid.positions(score.end[inside])
    start = nearest(written_start)
    is_grace, is_early = _short_notes(written_start, written_end, key, start)
    start = start - is_early
    played = np.flatnonzero(~is_grace | (start >= 0))
    start = np.maximum(start, 0)
    end = np.maximum(nearest(written_end), start + 1)
    left_out = {
        "outside the 88 keys": len(score.pitch) - len(inside),
        "grace notes before the first frame": len(inside) - len(played),
    }
    notes = Notes(start, end, key, velocity).take(played)
    losses = _losses(notes, written_start[played], written_end[played], is_grace[played])
    return Quantised(notes.on_one_keyboard(), _nonzero(losses), _nonzero(left_out))


def _short_notes(
    written_start: Places, written_end: Places, key: NDArray[np.int64], start: NDArray[np.int64]
) -> tuple[Mask, Mask]:
    """Which notes are grace notes, and which are moved to the frame before the nearest one."""
    if len(written_start) == 0:
        return np.zeros(0, np.bool_), np.zeros(0, np.bool_)
    onsets, chord = np.unique(np.rint(written_start / SAME_PLACE).astype(np.int64), return_inverse=True)
    onset, frame = np.empty(len(onsets)), np.empty(len(onsets), np.int64)
    onset[chord], frame[chord] = written_start, start
    length = written_end - written_start
    # The target is the first onset at or after the end of the note. A note leads to it if the gap is small
    # and both would fall into the same frame.
    following = np.searchsorted(onset, written_end - SAME_PLACE)
    target = np.minimum(following, len(onset) - 1)
    gap = onset[target] - written_end
    leads = (following < len(onset)) & (gap <= LEGATO + SAME_PLACE) & (frame[target] == start)
    longest = np.zeros(len(onset))
    np.maximum.at(longest, chord, length)
    is_short = (length < SHORT - SAME_PLACE) & (length > SAME_PLACE)
    is_grace = is_short & leads & (longest[target] >= MIN_RATIO * length - SAME_PLACE)
    is_grace |= _without_length(chord, key, length)
    for _ in range(MAX_GRACES - 1):  # a short note that leads to nothing but grace notes is one as well
        has_main_note = np.zeros(len(onset), np.bool_)
        has_main_note[chord[~is_grace]] = True
        is_grace |= is_short & leads & ~has_main_note[target]
    early = start - written_start
    ends_before = (early > SAME_PLACE) & (written_end <= start + SAME_PLACE)
    return is_grace, is_grace | (ends_before & (leads | (early >= APART - SAME_PLACE)))


def _without_length(chord: NDArray[np.int64], key: NDArray[np.int64], length: Places) -> Mask:
    """Grace notes as some notation programs write them: without length, a second from their main note.

    Args:
        chord: (N,) number of each note's onset.
        key: (N,) keys.
        length: (N,) lengths in frames.
    """
    is_main = length > SHORT
    main_keys = np.unique(chord[is_main] * (KEYS + 2 * SECOND) + key[is_main] + SECOND)
    has_main_note = np.zeros(len(chord), np.bool_)
    for step in (-SECOND, -1, 1, SECOND):
        has_main_note |= np.isin(chord * (KEYS + 2 * SECOND) + key + SECOND + step, main_keys)
    return has_main_note & (length <= SAME_PLACE)


def _losses(notes: Notes, written_start: Places, written_end: Places, is_grace: Mask) -> dict[str, int]:
    """The counts of `Quantised.losses`, including zeros."""
    press = notes.start * KEYS + notes.key
    longer_by = (notes.end - notes.start) - (written_end - written_start)
    again = _later_than_first(press, written_start)
    return {
        "merged": int((_later_than_first(notes.start, written_start) & ~again).sum()),
        "struck again": int(again.sum()),
        "doubled": len(press) - len(np.unique(press)) - int(again.sum()),
        "moved": int(((np.abs(notes.start - written_start) > APART + SAME_PLACE) & ~is_grace).sum()),
        "lengthened": int((longer_by > CHANGED + SAME_PLACE).sum()),
        "shortened": int((longer_by < -CHANGED - SAME_PLACE).sum()),
        "grace notes": int(is_grace.sum()),
    }


def _later_than_first(group: NDArray[np.int64], written_start: Places) -> Mask:
    """Which notes were written at least a quarter of a frame after the first note of their group."""
    groups, index = np.unique(group, return_inverse=True)
    first = np.full(len(groups), np.inf)
    np.minimum.at(first, index, written_start)
    later: Mask = written_start - first[index] >= APART - SAME_PLACE
    return later


def _nonzero(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts above 0."""
    return {name: count for name, count in counts.items() if count}
