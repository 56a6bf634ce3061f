"""Copying: how long a stretch of a passage has been heard before, in any key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from zoo.music.roll import KEYS, Roll

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

_random = np.random.default_rng(0)
_SOUNDS, _STRUCK = _random.integers(2**64, size=(2, KEYS), dtype=np.uint64)
_STEPS = _random.integers(2**64, size=2 * KEYS, dtype=np.uint64)


@dataclass(frozen=True)
class _Copies:
    """The longest copy from each sounding frame of the passages on, which lie one after another.

    Attributes:
        place: (M,) the frame of the passages it begins at.
        length: (M,) how many frames it has, 0 where nothing is copied.
        heard: (M,) how many of them sound.
        ends: (N,) the frame after each passage and the silence that follows it.
    """

    place: Indices
    length: Indices
    heard: Indices
    ends: Indices


def longest_copies(passages: Sequence[Roll], training: Iterable[Roll], *, with_onsets: bool) -> Indices:
    """How many frames the longest copied stretch of each passage has (N,), silent ones not counted.

    A stretch is copied if a training piece holds it frame by frame, in whatever key. It may run through
    silence but begins with a sound, so silence alone is no copy. All places in the music are sorted by what
    follows them (Manber and Myers, Suffix arrays, 1993); a passage agrees longest with its neighbours.

    Args:
        passages: in which copies are looked for.
        training: pieces from which they may be.
        with_onsets: whether a copy has to press the same keys, beside sounding them.
    """
    found = _copies(passages, training, with_onsets)
    longest = np.zeros(len(passages), np.int64)
    np.maximum.at(longest, np.searchsorted(found.ends, found.place, side="right"), found.heard)
    return longest


def copied_stretches(
    passages: Sequence[Roll], training: Iterable[Roll], *, with_onsets: bool, at_least: int
) -> list[list[tuple[int, int]]]:
    """Where each passage is copied: (first frame, frame after the last) of each stretch, in order.

    Args:
        passages: in which copies are looked for.
        training: pieces from which they may be.
        with_onsets: as in `longest_copies`, where it is said what a copy is.
        at_least: how many sounding frames a copy has that counts.
    """
    found = _copies(passages, training, with_onsets)
    long = found.heard >= at_least
    change = np.zeros(int(found.ends[-1]) + 1 if len(found.ends) else 1, np.int64)
    np.add.at(change, found.place[long], 1)
    np.add.at(change, found.place[long] + found.length[long], -1)
    copied = np.cumsum(change) > 0
    ends = found.ends - 1
    return [_stretches(copied[end - roll.frames : end]) for end, roll in zip(ends, passages, strict=True)]


def _stretches(marked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(marked.astype(np.int8), prepend=0, append=0)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _copies(passages: Sequence[Roll], training: Iterable[Roll], with_onsets: bool) -> _Copies:
    hashed = [_hashed(roll, with_onsets) for roll in chain(passages, training)]
    chords = _in_a_row([chords for chords, _ in hashed], marks=False)
    longest = max((roll.frames for roll in passages), default=0)
    ranks = _ranks(_in_a_row([moves for _, moves in hashed], marks=True), longest)
    ends = np.cumsum([roll.frames + 1 for roll in passages], dtype=np.int64)

    chord = _rank(chords)
    places = np.flatnonzero(chords)
    places = places[np.lexsort((ranks[-1][places + 1], chord[places]))]
    ours = places < (ends[-1] if len(ends) else 0)
    here = places[ours]
    lengths = np.zeros(len(here), np.int64)
    for neighbours in _nearest(places, ~ours):
        there = neighbours[ours]
        alike = (there >= 0) & (chord[here] == chord[there])
        agreed = 1 + _agreement(ranks, here[alike] + 1, there[alike] + 1)
        lengths[alike] = np.maximum(lengths[alike], agreed)

    sounding = np.concatenate([[0], np.cumsum(chords != 0)])
    return _Copies(here, lengths, sounding[here + lengths] - sounding[here], ends)


def _hashed(roll: Roll, with_onsets: bool) -> tuple[Hashes, Hashes]:
    """Of each frame (T,) the chord above its lowest key; and that with the step from the lowest key before.

    In another key both are the same. Silence is 0 in both.
    """
    frame, key = np.nonzero(roll.sounding)
    lowest = roll.sounding.argmax(1)
    above = key - lowest[frame]
    notes = _SOUNDS[above]
    if with_onsets:
        assert roll.onset is not None
        notes = notes + np.where(roll.onset[frame, key], _STRUCK[above], np.uint64(0))
    chords = np.zeros(roll.frames, np.uint64)
    np.add.at(chords, frame, notes)
    sounds = np.unique(frame)
    moves = np.zeros(roll.frames, np.uint64)
    moves[sounds] = chords[sounds] + _STEPS[np.diff(lowest[sounds], prepend=lowest[sounds[:1]]) + KEYS]
    return chords, moves


def _in_a_row(pieces: Sequence[Hashes], *, marks: bool) -> Hashes:
    """Pieces one after the other, after each a frame of silence, or a mark that nothing else agrees with."""
    ends = (np.array([number if marks else 0], np.uint64) for number in range(1, len(pieces) + 1))
    return np.concatenate([np.zeros(0, np.uint64), *chain(*zip(pieces, ends, strict=True))])


def _ranks(text: Hashes, longest: int) -> list[Indices]:
    """Order (N,) of all places in the text by the next 1, 2, 4, ... frames, until `longest` is reached."""
    ranks = [_rank(text)]
    while (width := 1 << len(ranks) - 1) < longest:
        later = np.concatenate([ranks[-1][width:], np.zeros(min(width, len(text)), np.int64)])
        ranks.append(_rank(ranks[-1] * (len(text) + 1) + later))
    return ranks


def _rank(values: Hashes | Indices) -> Indices:
    rank: Indices = np.unique(values, return_inverse=True)[1].astype(np.int64)
    return rank


def _nearest(places: Indices, wanted: NDArray[np.bool_]) -> Iterator[Indices]:
    """Of places in their order (N,), the last wanted one before each, then the first after; -1 for none."""
    for way in (slice(None), slice(None, None, -1)):
        last = np.maximum.accumulate(np.where(wanted[way], np.arange(len(places)), -1))
        yield np.where(last >= 0, places[way][last], -1)[way]


def _agreement(ranks: Sequence[Indices], first: Indices, second: Indices) -> Indices:
    """For how many frames the text goes on alike from two places each (N,)."""
    frames = np.zeros(len(first), np.int64)
    for level in reversed(range(len(ranks))):
        same = ranks[level][first + frames] == ranks[level][second + frames]
        frames += same.astype(np.int64) << level
    return frames
