"""Copying: the stretches of a passage that also occur in the training music, in any key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from zoo.music.roll import Roll
from zoo.parts.piano import KEYS

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

_random = np.random.default_rng(0)
_SOUNDING_HASH, _ONSET_HASH = _random.integers(2**64, size=(2, KEYS), dtype=np.uint64)
_STEP_HASH = _random.integers(2**64, size=2 * KEYS, dtype=np.uint64)


@dataclass(frozen=True)
class _Copies:
    """The longest copy that starts at each sounding frame; frames are numbered across all N passages.

    Attributes:
        start: (M,) first frame of the copy.
        length: (M,) its length in frames; 0 if nothing is copied.
        sounding: (M,) the number of its frames that are not silent.
        ends: (N,) the frame after each passage and its separator.
    """

    start: Indices
    length: Indices
    sounding: Indices
    ends: Indices


def longest_copies(passages: Sequence[Roll], training: Iterable[Roll], *, with_onsets: bool) -> Indices:
    """The length of the longest copied stretch of each passage (N,), in frames that are not silent.

    A stretch is copied if it occurs frame by frame in a training piece, in any key. It may contain silence,
    but silence alone is not a copy, so it must start with a sounding frame. All frames are sorted by the
    music that follows them (Manber and Myers, Suffix arrays, 1993); the longest match of a frame is then one
    of its two neighbours in this order, which takes N log N time instead of comparing all pairs.

    Args:
        passages: the passages to search for copies.
        training: the training pieces.
        with_onsets: whether a copy must have the same onsets, not only the same sounding keys.
    """
    copies = _find_copies(passages, training, with_onsets)
    longest = np.zeros(len(passages), np.int64)
    np.maximum.at(longest, np.searchsorted(copies.ends, copies.start, side="right"), copies.sounding)
    return longest


def copied_stretches(
    passages: Sequence[Roll], training: Iterable[Roll], *, with_onsets: bool, at_least: int
) -> list[list[tuple[int, int]]]:
    """The copied stretches of each passage as (first frame, frame after the last), in order.

    Args:
        passages: the passages to search for copies.
        training: the training pieces.
        with_onsets: whether a copy must have the same onsets; see `longest_copies`.
        at_least: minimum number of sounding frames of a copy.
    """
    copies = _find_copies(passages, training, with_onsets)
    is_long = copies.sounding >= at_least
    # Copies overlap: +1 where one starts and -1 where it ends, summed up, tells how many cover each frame.
    change = np.zeros(int(copies.ends[-1]) + 1 if len(copies.ends) else 1, np.int64)
    np.add.at(change, copies.start[is_long], 1)
    np.add.at(change, copies.start[is_long] + copies.length[is_long], -1)
    is_copied = np.cumsum(change) > 0
    ends = copies.ends - 1
    return [_stretches(is_copied[end - roll.frames : end]) for end, roll in zip(ends, passages, strict=True)]


def _stretches(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The runs of true values as (first, one after the last)."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _find_copies(passages: Sequence[Roll], training: Iterable[Roll], with_onsets: bool) -> _Copies:
    hashes = [_hash_frames(roll, with_onsets) for roll in chain(passages, training)]
    chords = _concatenate([chords for chords, _ in hashes], unique_separators=False)
    longest = max((roll.frames for roll in passages), default=0)
    ranks = _prefix_ranks(_concatenate([steps for _, steps in hashes], unique_separators=True), longest)
    ends = np.cumsum([roll.frames + 1 for roll in passages], dtype=np.int64)

    # The first frame of a copy is compared by its chord alone, since the step to it from the frame before is
    # not part of the copy; all later frames are compared by chord and step.
    chord = _rank(chords)
    order = np.flatnonzero(chords)
    order = order[np.lexsort((ranks[-1][order + 1], chord[order]))]
    in_passage = order < (ends[-1] if len(ends) else 0)
    starts = order[in_passage]
    lengths = np.zeros(len(starts), np.int64)
    for neighbours in _nearest_in_order(order, ~in_passage):
        matches = neighbours[in_passage]
        same_chord = (matches >= 0) & (chord[starts] == chord[matches])
        common = 1 + _common_length(ranks, starts[same_chord] + 1, matches[same_chord] + 1)
        lengths[same_chord] = np.maximum(lengths[same_chord], common)

    sounding = np.concatenate([[0], np.cumsum(chords != 0)])
    return _Copies(starts, lengths, sounding[starts + lengths] - sounding[starts], ends)


def _hash_frames(roll: Roll, with_onsets: bool) -> tuple[Hashes, Hashes]:
    """Two hashes of each frame (T,) that do not depend on the key; both are 0 for silence.

    The first is of the chord, as intervals above its lowest key. The second also includes the step to this
    lowest key from that of the previous sounding frame.
    """
    frame, key = np.nonzero(roll.sounding)
    lowest = roll.sounding.argmax(1)
    above = key - lowest[frame]
    notes = _SOUNDING_HASH[above]
    if with_onsets:
        assert roll.onset is not None
        notes = notes + np.where(roll.onset[frame, key], _ONSET_HASH[above], np.uint64(0))
    chords = np.zeros(roll.frames, np.uint64)
    np.add.at(chords, frame, notes)
    sounding = np.unique(frame)
    steps = np.zeros(roll.frames, np.uint64)
    step = np.diff(lowest[sounding], prepend=lowest[sounding[:1]])
    steps[sounding] = chords[sounding] + _STEP_HASH[step + KEYS]
    return chords, steps


def _concatenate(pieces: Sequence[Hashes], *, unique_separators: bool) -> Hashes:
    """Pieces one after another with a separator after each: silence, or a value that matches nothing else.

    Unique separators keep a match from continuing into the next piece.
    """
    separators = (
        np.array([number if unique_separators else 0], np.uint64) for number in range(1, len(pieces) + 1)
    )
    return np.concatenate([np.zeros(0, np.uint64), *chain(*zip(pieces, separators, strict=True))])


def _prefix_ranks(text: Hashes, longest: int) -> list[Indices]:
    """Ranks (N,) of all positions by the next 1, 2, 4, ... frames, up to at least `longest`.

    The rank by 2n frames follows from the pair of ranks by n frames here and n frames later.
    """
    ranks = [_rank(text)]
    while (width := 1 << len(ranks) - 1) < longest:
        later = np.concatenate([ranks[-1][width:], np.zeros(min(width, len(text)), np.int64)])
        ranks.append(_rank(ranks[-1] * (len(text) + 1) + later))
    return ranks


def _rank(values: Hashes | Indices) -> Indices:
    rank: Indices = np.unique(values, return_inverse=True)[1].astype(np.int64)
    return rank


def _nearest_in_order(order: Indices, mask: NDArray[np.bool_]) -> Iterator[Indices]:
    """For each position in the order (N,), the nearest masked one before it, then after it; -1 if none."""
    for direction in (slice(None), slice(None, None, -1)):
        last = np.maximum.accumulate(np.where(mask[direction], np.arange(len(order)), -1))
        yield np.where(last >= 0, order[direction][last], -1)[direction]


def _common_length(ranks: Sequence[Indices], first: Indices, second: Indices) -> Indices:
    """The number of frames that are equal from each pair of positions on (N,), by binary search."""
    frames = np.zeros(len(first), np.int64)
    for level in reversed(range(len(ranks))):
        same = ranks[level][first + frames] == ranks[level][second + frames]
        frames += same.astype(np.int64) << level
    return frames
