"""Placed notes: whether one piece lies inside another, note for note, at the same time and on the same keys.

Such pieces are tracks of a file that are kept as files of their own: a song, its tune alone and its chords
alone. Where the tune is not on top, runs (`zoo.data.runs`) do not show it, but all of its notes are there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from zoo.music.roll import Roll

Numbers = NDArray[np.int32]

SHARE = 0.9
"""Of the notes of a piece, above which it lies inside the other. Accompaniments in one key share 0.85."""
FEWEST = 24
"""Notes of a piece that is compared; fewer lie inside many a piece by chance."""
PROBES = 16
"""Rarest notes of a piece that point to where it may lie; at least half of them must be there."""


class PlacedNotes:
    """The notes of pieces that are added one by one, as numbers: frame, then key."""

    def __init__(self) -> None:
        self._notes: list[Numbers] = []

    def add(self, roll: Roll) -> None:
        """Take a piece into account; where it is not known what is struck, what begins to sound stands in."""
        struck = roll.onset
        if struck is None:
            struck = roll.sounding.copy()
            struck[1:] &= ~roll.sounding[:-1]
        self._notes.append(np.flatnonzero(struck).astype(np.int32))

    def related(self) -> Iterator[tuple[int, int, float]]:
        """Pairs of pieces of which one lies inside the other, and how much of it does."""
        shares: dict[tuple[int, int], float] = {}
        for piece, other in self._candidates():
            both = np.intersect1d(self._notes[piece], self._notes[other], assume_unique=True)
            share = len(both) / len(self._notes[piece])
            if share > SHARE:
                pair = min(piece, other), max(piece, other)
                shares[pair] = max(share, shares.get(pair, 0.0))
        yield from ((*pair, share) for pair, share in shares.items())

    def _candidates(self) -> Iterator[tuple[int, int]]:
        """Pieces with others that have half of their rarest notes, of the notes that others have at all."""
        notes, pieces = self._sorted()
        begin = np.flatnonzero(np.diff(notes, prepend=-1))
        count, known = np.diff(begin, append=len(notes)), notes[begin]
        for piece, own in enumerate(self._notes):
            if len(own) < FEWEST:
                continue
            place = np.searchsorted(known, own)
            place = place[count[place] > 1]
            rarest = place[np.argsort(count[place], kind="stable")[:PROBES]]
            lists = [pieces[begin[note] : begin[note] + count[note]] for note in rarest]
            others, hits = np.unique(np.concatenate([*lists, pieces[:0]]), return_counts=True)
            likely = others[(2 * hits >= len(rarest)) & (others != piece)]
            yield from ((piece, other) for other in likely.tolist())

    def _sorted(self) -> tuple[Numbers, Numbers]:
        """The notes of all pieces in order, and which piece each is of."""
        lengths = [len(notes) for notes in self._notes]
        both = np.repeat(np.arange(len(lengths)), lengths)
        both |= np.concatenate([*self._notes, np.zeros(0, np.int64)]) << 32
        both.sort()
        return (both >> 32).astype(np.int32), (both & 0xFFFFFFFF).astype(np.int32)
