"""Runs: hashes of consecutive tokens, by which passages are found that pieces share in any transposition.

A piece is converted to a sequence of tokens, such as the intervals of its melody. Every run of a fixed number
of tokens has a hash, and two pieces share a passage where they share hashes. These are the fingerprints of
Schleimer, Wilkerson and Aiken (Winnowing: Local Algorithms for Document Fingerprinting, SIGMOD 2003), except
that all hashes are kept, so that shares are exact. Only hashes are kept of a piece, so that many thousands of
pieces fit into memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from zoo.music.roll import Roll
from zoo.parts.piano import KEYS

Numbers = NDArray[np.int64]
Hashes = NDArray[np.uint32]
Frames = NDArray[np.int32]
Pairs = NDArray[np.int64]

COMMON = 12
"""A run that occurs in more pieces is common: either a cliché, or a family so large that links between
neighbours in the corpus connect it. Only such neighbours become candidates by a common run."""
MIN_SHARED = 3
"""Two pieces are compared if they share at least this many runs."""
PIECE_BITS = np.uint64(32)
FACTOR = np.uint64(0x100000001B3)


class Tokens(NamedTuple):
    """A sequence of T tokens.

    Attributes:
        values: (T,) values of the tokens; the first has no predecessor, so it is not part of any run.
        frames: (T,) durations of the tokens in frames.
    """

    values: Numbers
    frames: Frames


@dataclass(frozen=True)
class View:
    """Thresholds for comparing sequences of tokens.

    Attributes:
        run: number of tokens in a run.
        different: minimum number of different tokens in a run; a run with fewer is an accompaniment figure or
            a scale, which unrelated pieces share.
        fewest: minimum number of different runs that related pieces share; fewer are just a phrase.
        share: related pieces share more than this part of one of them.
    """

    run: int
    different: int
    fewest: int
    share: float


class Runs:
    """The hashes, in one view, of pieces that are added one by one."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._hashes: list[Hashes] = []
        self._frames: list[Frames] = []

    def add(self, tokens: Tokens) -> None:
        """Add a piece."""
        self._hashes.append(_hashes(tokens.values, self.view))
        self._frames.append(tokens.frames)

    def related(self) -> Iterator[tuple[int, int, float]]:
        """Pairs of related pieces, and what they share of the piece that shares more."""
        for first, second in _candidates(self._hashes):
            shared = np.intersect1d(self._hashes[first], self._hashes[second])
            shared = shared[shared != 0]
            if len(shared) >= self.view.fewest:
                share = max(self._share(first, shared), self._share(second, shared))
                if share > self.view.share:
                    yield first, second, share

    def _share(self, piece: int, shared: Hashes) -> float:
        """The shared part of a piece: of its frames or of its different runs, whichever is smaller.

        A pattern that is repeated throughout a piece covers many of its frames but is only one run.
        """
        hashes, frames = self._hashes[piece], self._frames[piece]
        is_shared = np.isin(hashes, shared)
        # Run i consists of the tokens i + 1 to i + view.run: count how many shared runs cover each token.
        change = np.zeros(len(frames) + 1, np.int64)
        change[1 : 1 + len(hashes)] += is_shared
        change[1 + self.view.run : 1 + self.view.run + len(hashes)] -= is_shared
        is_covered = np.cumsum(change[:-1]) > 0
        different = len(np.unique(hashes[hashes != 0]))
        return min(float(frames[is_covered].sum() / frames.sum()), len(shared) / different)


def texture(roll: Roll) -> Tokens:
    """A token for each change of the sounding keys: the intervals of the chord and the step of its bass."""
    sounding = roll.sounding
    is_change = np.ones(len(sounding), np.bool_)
    is_change[1:] = (sounding[1:] != sounding[:-1]).any(1)
    start = np.flatnonzero(is_change & sounding.any(1))
    lowest = sounding[start].argmax(1)
    chord, key = np.nonzero(sounding[start])
    intervals = np.zeros(len(start), np.uint64)
    np.bitwise_xor.at(intervals, chord, _mix((key - lowest[chord]).astype(np.uint64)))
    step = _mix((np.diff(lowest, prepend=lowest[:1]) + 2 * KEYS).astype(np.uint64))
    return Tokens((intervals ^ step).view(np.int64), _durations(start, len(sounding)))


def line(roll: Roll, *, top: bool) -> Tokens:
    """The steps of the highest or lowest sounding key from quarter note to quarter note.

    Repeated keys and the notes between quarters are left out. What remains is the melody or bass line without
    ornaments, fermatas and repeated notes, which differ from version to version.
    """
    places = roll.meter.places(np.arange(roll.frames))
    quarter = np.flatnonzero((places.place % roll.meter.grid == 0) & roll.sounding.any(1))
    keys = roll.sounding[quarter]
    outer = KEYS - 1 - keys[:, ::-1].argmax(1) if top else keys.argmax(1)
    moves = np.ones(len(quarter), np.bool_)
    moves[1:] = outer[1:] != outer[:-1]
    steps = np.diff(outer[moves], prepend=outer[:1])
    return Tokens(steps.astype(np.int64), _durations(quarter[moves], roll.frames))


def _durations(starts: Numbers, frames: int) -> Frames:
    """Durations of tokens that start at these frames, each until the next one or the end."""
    return np.diff(starts, append=frames).astype(np.int32)


def _mix(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash numbers to 64 bits (SplitMix64 of Steele, Lea and Flood, 2014)."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = numbers ^ (numbers >> np.uint64(31))
    return mixed


def _hashes(tokens: Numbers, view: View) -> Hashes:
    """The hash of each run, without the first token; 0 for a figure, which never counts as shared."""
    if len(tokens) <= view.run:
        return np.zeros(0, np.uint32)
    mixed = _mix(tokens[1:].view(np.uint64))
    total = np.zeros(len(mixed) - view.run + 1, np.uint64)
    for offset in range(view.run):
        total = total * FACTOR + mixed[offset : offset + len(total)]
    runs = np.sort(sliding_window_view(tokens[1:], view.run), axis=1)
    is_figure = 1 + (np.diff(runs, axis=1) != 0).sum(1) < view.different
    hashes: Hashes = np.maximum(_mix(total) >> PIECE_BITS, np.uint64(1)).astype(np.uint32)
    hashes[is_figure] = 0
    return hashes


def _candidates(hashes: list[Hashes]) -> Iterator[list[int]]:
    """Pairs of pieces that share enough runs, the smaller index first."""
    unique, counts = np.unique(_pairs(_shared_entries(hashes)), return_counts=True)
    pairs = unique[counts >= MIN_SHARED]
    yield from np.stack([pairs >> 32, pairs & 0xFFFFFFFF], 1).tolist()


def _shared_entries(hashes: list[Hashes]) -> NDArray[np.uint64]:
    """Sorted entries of a run (upper 32 bits) and a piece (lower 32 bits), for runs in several pieces."""
    by_piece = [
        np.unique(runs[runs != 0]).astype(np.uint64) << PIECE_BITS | np.uint64(piece)
        for piece, runs in enumerate(hashes)
    ]
    entries = np.sort(np.concatenate([*by_piece, np.zeros(0, np.uint64)]))
    run = entries >> PIECE_BITS
    equals_next = run[1:] == run[:-1]
    shared = np.zeros(len(entries), np.bool_)
    shared[1:] |= equals_next
    shared[:-1] |= equals_next
    return entries[shared]


def _pairs(entries: NDArray[np.uint64]) -> Pairs:
    """A pair of pieces, packed into one number, for each run that both have.

    Entries of one run are adjacent, so pairs are formed at a growing distance; for common runs, only at
    distance 1, that is of neighbours in the corpus.
    """
    run, piece = entries >> PIECE_BITS, (entries & np.uint64(0xFFFFFFFF)).astype(np.int64)
    group = np.zeros(len(run), np.int32)
    group[1:] = np.cumsum(run[1:] != run[:-1])
    is_rare = (np.bincount(group) <= COMMON)[group]
    pairs = [piece[:0]]
    for distance in range(1, min(COMMON, len(group))):
        same_run = group[distance:] == group[:-distance]
        if distance > 1:
            same_run &= is_rare[distance:]
        first = np.flatnonzero(same_run)
        pairs.append(piece[first] << 32 | piece[first + distance])
    return np.concatenate(pairs)
