"""Families: pieces that share music, so that no test piece is a version of a training piece.

Copies are found by their notes (`zoo.data.split`). Beyond that, two pieces are related that share long
passages in any transposition: the same chords in a row, the same top line under other chords, or the same
bass line under other notes, as do other harmonisations, medleys, a tune without chords or the chords alone.
Each piece becomes three series of tokens, and runs of tokens are compared by their hashes. These are the
fingerprints of Schleimer, Wilkerson and Aiken (Winnowing: Local Algorithms for Document Fingerprinting,
SIGMOD 2003) with none left out, so that shares are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.music.roll import Roll

Numbers = NDArray[np.int64]
Hashes = NDArray[np.uint64]

COMMON = 12
"""Pieces that share a run, above which only neighbours in the corpus are compared for it: it is a cliché, or
a family so large that neighbours link it."""
SMALLEST = 4
"""Tokens that two pieces must share before they are compared exactly."""


class View(NamedTuple):
    """One way to look at a piece.

    Attributes:
        run: tokens in a row that have to agree.
        moves: how many of them must be changes, so that held or repeated notes are no shared music.
        share: of the tokens of a piece, above which it is related to the piece it shares them with.
    """

    run: int
    moves: int
    share: float


VIEWS = {"chords": View(5, 5, 0.4), "top line": View(12, 6, 0.5), "bass line": View(32, 8, 0.7)}
"""What sounds together, one after the other in whatever time; and the outer keys of each beat."""


@dataclass(frozen=True)
class Relation:
    """Two pieces that share music.

    Attributes:
        first: number of a piece.
        second: number of another, larger.
        view: by what they are related, a name of `VIEWS`.
        share: the larger of the shares that each has of it, 0..1.
    """

    first: int
    second: int
    view: str
    share: float


class Fingerprints:
    """What pieces that are added one by one have in common; some 10 kB a piece are kept of them."""

    def __init__(self) -> None:
        self._pieces = 0
        self._hashes: dict[str, list[Hashes]] = {view: [] for view in VIEWS}
        self._tokens: dict[str, list[int]] = {view: [] for view in VIEWS}

    def add(self, roll: Roll) -> None:
        """Take a piece into account."""
        self._pieces += 1
        for (name, view), tokens in zip(VIEWS.items(), _views(roll), strict=True):
            self._hashes[name].append(_runs(tokens, view))
            self._tokens[name].append(len(tokens))

    def relations(self) -> list[Relation]:
        """All pairs of pieces that share more than a view allows, once for each view."""
        return [
            Relation(first, second, name, share)
            for name, view in VIEWS.items()
            for first, second, share in _shares(self._hashes[name], self._tokens[name], view)
            if share > view.share
        ]


def _views(roll: Roll) -> tuple[Numbers, Numbers, Numbers]:
    """The tokens of a piece in each view; a token of 0 moves nothing."""
    beats = _beats(roll)
    return _chords(roll), _line(roll.sounding, beats, top=True), _line(roll.sounding, beats, top=False)


def _chords(roll: Roll) -> Numbers:
    """For each change of what sounds: the chord by its intervals, and the step of its lowest key."""
    sounding = roll.sounding
    changes = np.ones(len(sounding), np.bool_)
    changes[1:] = (sounding[1:] != sounding[:-1]).any(1)
    chords = sounding[changes & sounding.any(1)]
    lowest = chords.argmax(1)
    spread = np.zeros(len(chords), np.uint64)
    at, key = np.nonzero(chords)
    np.bitwise_xor.at(spread, at, _mixed((key - lowest[at]).astype(np.uint64) + np.uint64(1)))
    step = np.diff(lowest, prepend=lowest[:1]) + sounding.shape[1]
    tokens: Numbers = (_mixed(step.astype(np.uint64)) ^ spread).view(np.int64) | 1
    return tokens


def _beats(roll: Roll) -> Numbers:
    """The first frame of each beat."""
    places = roll.meter.places(np.arange(roll.frames))
    return np.flatnonzero(places.place % places.beat == 0)


def _line(sounding: NDArray[np.bool_], beats: Numbers, *, top: bool) -> Numbers:
    """The steps of the outer key from beat to beat, beats of silence left out; 0 where it stays."""
    frames = sounding[beats]
    heard = frames[frames.any(1)]
    keys = heard.shape[1] - 1 - heard[:, ::-1].argmax(1) if top else heard.argmax(1)
    steps: Numbers = np.diff(keys, prepend=keys[:1]).astype(np.int64)
    return steps


def _mixed(numbers: Hashes) -> Hashes:
    """Numbers spread over 64 bits (the finaliser of SplitMix64)."""
    with np.errstate(over="ignore"):
        numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = numbers ^ (numbers >> np.uint64(31))
    return mixed


def _runs(tokens: Numbers, view: View) -> Hashes:
    """A hash for each run of tokens, the first of its tokens left out: it leads in from elsewhere.

    A run that moves too little has the hash 0, which is shared with nothing.
    """
    count = len(tokens) - view.run
    if count < 1:
        return np.zeros(0, np.uint64)
    mixed = _mixed(tokens.view(np.uint64) + np.uint64(0x9E3779B97F4A7C15))
    total = np.zeros(count, np.uint64)
    with np.errstate(over="ignore"):
        for place in range(1, view.run + 1):
            total = total * np.uint64(0x100000001B3) + mixed[place : place + count]
    moving = np.concatenate([[0], np.cumsum(tokens != 0)])
    moves = moving[1 + view.run : 1 + view.run + count] - moving[1 : 1 + count]
    enough = moves >= view.moves
    return np.where(enough, total | np.uint64(1), np.uint64(0))


def _shares(hashes: list[Hashes], tokens: list[int], view: View) -> Iterator[tuple[int, int, float]]:
    """Pairs of pieces with the larger of the shares of their tokens that lie in runs both have."""
    lengths = np.array([len(each) for each in hashes], np.int64)
    piece = np.repeat(np.arange(len(hashes)), lengths)
    every = np.concatenate(hashes) if hashes else np.zeros(0, np.uint64)
    pairs = _pairs(every[every != 0], piece[every != 0])
    for (first, second), count in zip(pairs[0].tolist(), pairs[1].tolist(), strict=True):
        if count < SMALLEST:
            continue
        one, two = hashes[first], hashes[second]
        both = np.intersect1d(one[one != 0], two[two != 0])
        shares = [_share(own, both, tokens[number], view) for own, number in ((one, first), (two, second))]
        yield first, second, max(shares)


def _share(own: Hashes, both: Hashes, tokens: int, view: View) -> float:
    """How much of a piece is shared: of its tokens, and of its different runs, whichever is less.

    A pattern that a piece repeats all the time covers much of it and is still one pattern.
    """
    begins = np.isin(own, both)
    different = len(np.unique(own[own != 0]))
    return min(_covered(begins, view.run) / max(tokens, 1), len(both) / max(different, 1))


def _pairs(hashes: Hashes, piece: Numbers) -> tuple[Numbers, Numbers]:
    """Pairs (P, 2) of pieces that share a hash, and how many they share (P,)."""
    order = np.lexsort((piece, hashes))
    hashes, piece = hashes[order], piece[order].astype(np.int32)
    new = np.concatenate([[True], (hashes[1:] != hashes[:-1]) | (piece[1:] != piece[:-1])])[: len(hashes)]
    hashes, piece = hashes[new], piece[new]
    group = np.cumsum(np.concatenate([[0], hashes[1:] != hashes[:-1]]), dtype=np.int32)[: len(hashes)]
    common = np.bincount(group, minlength=1)[group] > COMMON
    pairs = []
    for step in range(1, COMMON):
        same = group[step:] == group[:-step]
        same &= ~common[step:] | (step == 1)
        pairs.append(piece[:-step][same] * np.int64(2**32) + piece[step:][same])
    unique, counts = np.unique(np.concatenate(pairs), return_counts=True)
    return np.stack([unique >> 32, unique & 0xFFFFFFFF], 1), counts


def _covered(begins: NDArray[np.bool_], run: int) -> int:
    """How many tokens lie in the runs that begin at the marked places."""
    change = np.zeros(len(begins) + run + 1, np.int64)
    change[: -run - 1] += begins
    change[run:-1] -= begins
    return int((np.cumsum(change) > 0).sum())
