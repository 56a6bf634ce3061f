"""Runs: what pieces have in common in whatever transposition, found by hashes of a few tokens in a row.

A piece becomes a series of tokens, such as the steps of its melody. Each run of some length has a hash, and
two pieces share a passage where they share hashes. These are fingerprints in the manner of Schleimer,
Wilkerson and Aiken (Winnowing: Local Algorithms for Document Fingerprinting, SIGMOD 2003), but none is
winnowed away, which makes shares exact. They are kept instead of the music, so that many thousands of
pieces fit into memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from zoo.music.roll import KEYS, Roll

Numbers = NDArray[np.int64]
Hashes = NDArray[np.uint32]
Frames = NDArray[np.int32]
Pairs = NDArray[np.int64]

COMMON = 12
"""Pieces with a run, above which only neighbours in the corpus are compared for it: a cliché, or a family so
large that its neighbours link it."""
RARE = 3
"""Runs no more common than that which two pieces must share before they are compared."""
PIECE_BITS = np.uint64(32)
FACTOR = np.uint64(0x100000001B3)


class Tokens(NamedTuple):
    """A series of T tokens.

    Attributes:
        values: (T,) what they are; the first leads in from nowhere and belongs to no run.
        frames: (T,) how many frames each lasts.
    """

    values: Numbers
    frames: Frames


@dataclass(frozen=True)
class View:
    """How a series of tokens is compared.

    Attributes:
        run: tokens in a row that have to agree.
        different: how many different tokens a run has at least; one with fewer is an accompaniment figure or
            a scale, which unrelated pieces share.
        fewest: different runs that two pieces have to share; fewer make no more than a phrase.
        share: of the frames of a piece, above which it is related to the piece it shares them with.
    """

    run: int
    different: int
    fewest: int
    share: float


class Runs:
    """The hashes of pieces that are added one by one, in one view."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._hashes: list[Hashes] = []
        self._frames: list[Frames] = []

    def add(self, tokens: Tokens) -> None:
        """Take a piece into account."""
        self._hashes.append(_hashes(tokens.values, self.view))
        self._frames.append(tokens.frames)

    def related(self) -> Iterator[tuple[int, int, float]]:
        """Pairs of pieces that share more than the view allows, and the larger of the shares of both."""
        for first, second in _candidates(self._hashes):
            both = np.intersect1d(self._hashes[first], self._hashes[second])
            both = both[both != 0]
            if len(both) >= self.view.fewest:
                share = max(self._share(first, both), self._share(second, both))
                if share > self.view.share:
                    yield first, second, share

    def _share(self, piece: int, both: Hashes) -> float:
        """How much of a piece is shared: of its frames, and of its different runs, whichever is less.

        A pattern that a piece repeats all the time covers much of it and is still one pattern.
        """
        own, frames = self._hashes[piece], self._frames[piece]
        begins = np.isin(own, both)
        covered = np.zeros(len(frames) + 1, np.int64)
        covered[1 : 1 + len(own)] += begins
        covered[1 + self.view.run : 1 + self.view.run + len(own)] -= begins
        inside = np.cumsum(covered[:-1]) > 0
        different = len(np.unique(own[own != 0]))
        return min(float(frames[inside].sum() / frames.sum()), len(both) / different)


def texture(roll: Roll) -> Tokens:
    """Each change of what sounds: the chord by its intervals, and the step of its lowest key."""
    sounding = roll.sounding
    changes = np.ones(len(sounding), np.bool_)
    changes[1:] = (sounding[1:] != sounding[:-1]).any(1)
    at = np.flatnonzero(changes & sounding.any(1))
    lowest = sounding[at].argmax(1)
    chord, key = np.nonzero(sounding[at])
    shape = np.zeros(len(at), np.uint64)
    np.bitwise_xor.at(shape, chord, _mixed((key - lowest[chord]).astype(np.uint64)))
    step = _mixed((np.diff(lowest, prepend=lowest[:1]) + 2 * KEYS).astype(np.uint64))
    return Tokens((shape ^ step).view(np.int64), _lengths(at, len(sounding)))


def line(roll: Roll, *, top: bool) -> Tokens:
    """The steps of the outer keys, the highest or the lowest, as they sound at each quarter note.

    Keys that stay are left out, and so are the notes between quarters: what is left is a tune without its
    ornaments, fermatas and repeated notes, which differ from one version to another.
    """
    places = roll.meter.places(np.arange(roll.frames))
    at = np.flatnonzero((places.place % roll.meter.grid == 0) & roll.sounding.any(1))
    keys = roll.sounding[at]
    outer = KEYS - 1 - keys[:, ::-1].argmax(1) if top else keys.argmax(1)
    moves = np.ones(len(at), np.bool_)
    moves[1:] = outer[1:] != outer[:-1]
    steps = np.diff(outer[moves], prepend=outer[:1])
    return Tokens(steps.astype(np.int64), _lengths(at[moves], roll.frames))


def _lengths(at: Numbers, frames: int) -> Frames:
    """How long what begins at these frames lasts, each until the next."""
    return np.diff(at, append=frames).astype(np.int32)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers spread over 64 bits (SplitMix64 of Steele, Lea and Flood, 2014)."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = numbers ^ (numbers >> np.uint64(31))
    return mixed


def _hashes(tokens: Numbers, view: View) -> Hashes:
    """A hash for each run of tokens but the first; 0 for a figure, which is shared with nothing."""
    if len(tokens) <= view.run:
        return np.zeros(0, np.uint32)
    mixed = _mixed(tokens[1:].view(np.uint64))
    total = np.zeros(len(mixed) - view.run + 1, np.uint64)
    for place in range(view.run):
        total = total * FACTOR + mixed[place : place + len(total)]
    runs = np.sort(sliding_window_view(tokens[1:], view.run), axis=1)
    is_figure = 1 + (np.diff(runs, axis=1) != 0).sum(1) < view.different
    hashes: Hashes = np.maximum(_mixed(total) >> PIECE_BITS, np.uint64(1)).astype(np.uint32)
    hashes[is_figure] = 0
    return hashes


def _candidates(hashes: list[Hashes]) -> Iterator[list[int]]:
    """Pairs of pieces that share some rare runs, the first before the second."""
    pairs = _sharing(_shared_entries(hashes))
    unique, counts = np.unique(pairs, return_counts=True)
    found = unique[counts >= RARE]
    yield from np.stack([found >> 32, found & 0xFFFFFFFF], 1).tolist()


def _shared_entries(hashes: list[Hashes]) -> NDArray[np.uint64]:
    """Run and piece in one number, sorted, of the runs that more than one piece has."""
    own = [
        np.unique(each[each != 0]).astype(np.uint64) << PIECE_BITS | np.uint64(piece)
        for piece, each in enumerate(hashes)
    ]
    entries = np.sort(np.concatenate([*own, np.zeros(0, np.uint64)]))
    run = entries >> PIECE_BITS
    like_next = run[1:] == run[:-1]
    shared = np.zeros(len(entries), np.bool_)
    shared[1:] |= like_next
    shared[:-1] |= like_next
    return entries[shared]


def _sharing(entries: NDArray[np.uint64]) -> Pairs:
    """A pair of pieces, in one number, for each run that both have."""
    run, piece = entries >> PIECE_BITS, (entries & np.uint64(0xFFFFFFFF)).astype(np.int64)
    _, group, sizes = np.unique(run, return_inverse=True, return_counts=True)
    is_rare = sizes[group] <= COMMON
    found = [piece[:0]]
    for step in range(1, min(COMMON, len(group))):
        same = group[step:] == group[:-step]
        if step > 1:
            same &= is_rare[step:]
        first = np.flatnonzero(same)
        found.append(piece[first] << 32 | piece[first + step])
    return np.concatenate(found)
