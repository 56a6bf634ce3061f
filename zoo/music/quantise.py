"""Quantising: notes in ticks become frames of the grid, and what that costs is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zoo.music.roll import KEYS, LOWEST_KEY, Notes
from zoo.music.rounding import SAME_PLACE, nearest
from zoo.music.score import Score, Ticks

Places = NDArray[np.float64]
Marks = NDArray[np.bool_]

APART = 0.25
"""From this part of a frame on a note counts as moved, and two notes as written one after the other."""
CHANGED = 0.5
"""By more than this part of a frame a note must change its length to count as lengthened or shortened."""
SHORT = 0.5
"""A grace note is shorter than this part of a frame; a note as long as that is a thirty-second of a run."""
LEGATO = 0.125
"""A grace note ends at most this part of a frame before the note it leads to."""
LONGER = 2
"""How much longer than a grace note the note it leads to is at least."""
SECOND = 2
"""Semitones, at most, from a grace note without length to its note."""
MOST_GRACES = 4
"""Grace notes before one note, as in a slide or a turn; longer runs are runs."""


class Grid(Protocol):
    """What places ticks on the grid."""

    def positions(self, ticks: Ticks) -> Places:
        """The place of each tick in frames, not rounded."""


@dataclass(frozen=True)
class Quantised:
    """Notes on the grid and what they have lost on the way there.

    A tenth of a second that falls between two frames is not heard on the grid; the counts tell whether the
    grid is fine enough for the piece. A note can be counted under several names.

    Attributes:
        notes: the notes, on one keyboard.
        losses: how many notes came out otherwise than they were written; only counts above 0.
            `merged`: struck in one frame with a note that was written at least a quarter frame earlier, as
            in trills and runs of thirty-seconds. `struck again`: their key was already struck in that
            frame at least a quarter frame earlier, so this press is gone. `doubled`: two voices strike one
            key together, which is one press on a keyboard. `moved`: more than a quarter frame away from
            where they were written. `lengthened`, `shortened`: by more than half a frame. `grace notes`:
            put in the frame before the note that they lead to.
        left_out: how many notes are not among `notes`, by the reason; only counts above 0.
            `outside the 88 keys`. `grace notes before the first frame`: there is no frame for them.
    """

    notes: Notes
    losses: Mapping[str, int]
    left_out: Mapping[str, int]


def quantise(score: Score, grid: Grid) -> Quantised:
    """Put a score on the grid, all voices on one keyboard.

    A note goes to the nearest frame; half a frame counts as the next. Two kinds of short note go to the
    frame before that: one that is over when its nearest frame begins sounds in the frame before (eight beats
    of thirty-seconds last eight beats), and a grace note is never struck together with the note it leads to.
    An end goes to the nearest frame too, and every note lasts at least one frame.
    """
    key = score.pitch - LOWEST_KEY
    inside = np.flatnonzero((key >= 0) & (key < KEYS))
    key, velocity = key[inside], score.velocity[inside]
    begin, over = grid.positions(score.start[inside]), grid.positions(score.end[inside])
    start = nearest(begin)
    grace, before = _short_notes(begin, over, key, start)
    start = start - before
    kept = np.flatnonzero(~grace | (start >= 0))
    start = np.maximum(start, 0)
    end = np.maximum(nearest(over), start + 1)
    left_out = {
        "outside the 88 keys": len(score.pitch) - len(inside),
        "grace notes before the first frame": len(inside) - len(kept),
    }
    notes = Notes(start, end, key, velocity).take(kept)
    losses = _losses(notes, begin[kept], over[kept], grace[kept])
    return Quantised(notes.on_one_keyboard(), _present(losses), _present(left_out))


def _short_notes(
    begin: Places, over: Places, key: NDArray[np.int64], start: NDArray[np.int64]
) -> tuple[Marks, Marks]:
    """Which notes are grace notes, and which belong into the frame before the nearest one."""
    if len(begin) == 0:
        return np.zeros(0, np.bool_), np.zeros(0, np.bool_)
    onsets, at = np.unique(np.rint(begin / SAME_PLACE).astype(np.int64), return_inverse=True)
    onset, frame = np.empty(len(onsets)), np.empty(len(onsets), np.int64)
    onset[at], frame[at] = begin, start
    length = over - begin
    following = np.searchsorted(onset, over - SAME_PLACE)
    target = np.minimum(following, len(onset) - 1)
    leads = (
        (following < len(onset)) & (onset[target] - over <= LEGATO + SAME_PLACE) & (frame[target] == start)
    )
    longest = np.zeros(len(onset))
    np.maximum.at(longest, at, length)
    small = length < SHORT - SAME_PLACE
    grace = small & leads & (length > SAME_PLACE) & (longest[target] >= LONGER * length - SAME_PLACE)
    grace |= _ornaments(at, key, length)
    for _ in range(MOST_GRACES - 1):
        plain = np.zeros(len(onset), np.bool_)
        plain[at[~grace]] = True
        grace |= small & leads & (length > SAME_PLACE) & ~plain[target]
    early = start - begin
    sooner = (early > SAME_PLACE) & (over <= start + SAME_PLACE) & (leads | (early >= APART - SAME_PLACE))
    return grace, grace | sooner


def _ornaments(at: NDArray[np.int64], key: NDArray[np.int64], length: Places) -> Marks:
    """Notes without length a second from a note that begins with them: grace notes of notation programs."""
    real = length > SHORT
    begun = np.unique(at[real] * (KEYS + 2 * SECOND) + key[real] + SECOND)
    marks = np.zeros(len(at), np.bool_)
    for step in (-SECOND, -1, 1, SECOND):
        marks |= np.isin(at * (KEYS + 2 * SECOND) + key + SECOND + step, begun)
    return marks & (length <= SAME_PLACE)


def _losses(notes: Notes, begin: Places, over: Places, grace: Marks) -> dict[str, int]:
    """The counts of `Quantised.losses`, zeros among them."""
    press = notes.start * KEYS + notes.key
    gained = (notes.end - notes.start) - (over - begin)
    again = _later_than_first(press, begin)
    return {
        "merged": int((_later_than_first(notes.start, begin) & ~again).sum()),
        "struck again": int(again.sum()),
        "doubled": len(press) - len(np.unique(press)) - int(again.sum()),
        "moved": int(((np.abs(notes.start - begin) > APART + SAME_PLACE) & ~grace).sum()),
        "lengthened": int((gained > CHANGED + SAME_PLACE).sum()),
        "shortened": int((gained < -CHANGED - SAME_PLACE).sum()),
        "grace notes": int(grace.sum()),
    }


def _later_than_first(group: NDArray[np.int64], begin: Places) -> Marks:
    """Which notes were written at least a quarter frame after the first of their group."""
    found, at = np.unique(group, return_inverse=True)
    first = np.full(len(found), np.inf)
    np.minimum.at(first, at, begin)
    later: Marks = begin - first[at] >= APART - SAME_PLACE
    return later


def _present(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts above 0."""
    return {name: count for name, count in counts.items() if count}
