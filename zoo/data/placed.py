"""Find pieces whose notes are contained in another piece, at the same frames and on the same keys.

Typical examples are tracks of a song that are stored as separate files: the song, its melody and its chords.
If the melody is not the highest voice, runs (`zoo.data.runs`) cannot find it in the song, but its notes are
all there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from zoo.data.runs import COMMON
from zoo.music.roll import Roll

Numbers = NDArray[np.int32]

MIN_SHARE = 0.9
"""A piece is contained in another if they share more than this part of its notes. Accompaniments in the same
key share up to 0.85."""
MIN_NOTES = 24
"""Pieces with fewer notes are not compared; they are contained in many pieces by chance."""
PROBES = 16
"""Number of rarest notes of a piece that a candidate is searched by; it must have at least half of them."""


class PlacedNotes:
    """The notes of pieces that are added one by one, each encoded as frame * 88 + key."""

    def __init__(self) -> None:
        self._notes: list[Numbers] = []

    def add(self, roll: Roll) -> None:
        """Add a piece; if its onsets are unknown, every frame in which a key starts to sound is an onset."""
        onset = roll.onset
        if onset is None:
            onset = roll.sounding.copy()
            onset[1:] &= ~roll.sounding[:-1]
        self._notes.append(np.flatnonzero(onset).astype(np.int32))

    def related(self) -> Iterator[tuple[int, int, float]]:
        """Pairs of pieces one of which contains the other, and the shared part of the contained piece."""
        shares: dict[tuple[int, int], float] = {}
        for piece, container in self._candidates():
            shared = np.intersect1d(self._notes[piece], self._notes[container], assume_unique=True)
            share = len(shared) / len(self._notes[piece])
            if share > MIN_SHARE:
                pair = min(piece, container), max(piece, container)
                shares[pair] = max(share, shares.get(pair, 0.0))
        yield from ((*pair, share) for pair, share in shares.items())

    def _candidates(self) -> Iterator[tuple[int, int]]:
        """Pairs of a piece and another that has at least half of its rarest notes.

        Notes that occur in no other piece do not count. If there are many candidates, as with copies, only
        those with the most hits are kept, the nearest first: links between neighbours connect all of them.
        """
        notes, pieces = self._sorted()
        is_first = np.ones(len(notes), np.bool_)
        is_first[1:] = notes[1:] != notes[:-1]
        start = np.flatnonzero(is_first)
        count, distinct = np.diff(start, append=len(notes)), notes[start]
        for piece, own_notes in enumerate(self._notes):
            if len(own_notes) < MIN_NOTES:
                continue
            index = np.searchsorted(distinct, own_notes)
            index = index[count[index] > 1]
            rarest = index[np.argsort(count[index], kind="stable")[:PROBES]]
            owners = [pieces[start[note] : start[note] + count[note]] for note in rarest]
            others, hits = np.unique(np.concatenate([*owners, pieces[:0]]), return_counts=True)
            hits[others == piece] = 0
            order = np.lexsort((abs(others - piece), -hits))[: 2 * COMMON]
            likely = others[order][2 * hits[order] >= max(len(rarest), 1)]
            yield from ((piece, other) for other in likely.tolist())

    def _sorted(self) -> tuple[NDArray[np.int64], Numbers]:
        """The notes of all pieces, sorted, and the piece of each; packed into one array to sort in place."""
        lengths = [len(notes) for notes in self._notes]
        packed = np.concatenate([*self._notes, np.zeros(0, np.int64)])
        packed <<= 32
        packed |= np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        packed.sort()
        pieces = packed.astype(np.int32)  # keeps the lower 32 bits
        packed >>= 32
        return packed, pieces
