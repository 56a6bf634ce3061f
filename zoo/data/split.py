"""The split: which pieces are for training, which for choosing, which for the final score.

A piece's split follows from its notes alone: a hash of which keys are pressed when, counted from the
piece's lowest key. A copy, a transposed copy, or the same piece played louder falls into the same
split, whatever its file is called, and so does the whole of a family (`zoo.data.family`), so no test piece
was trained on in another key or another version. About 80 % of all families train, 10 % validate, 10 % test;
adding pieces to a corpus moves no piece that is there, unless they join its family.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Literal

import numpy as np

from zoo.music.roll import Roll

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
SPELLINGS: dict[Split, tuple[str, ...]] = {
    "train": ("train",),
    "valid": ("valid", "validation", "val"),
    "test": ("test",),
}
"""What published sets call each split."""
TRAIN, VALID = 0.8, 0.9
"""Where the split hash, a number in 0..1, leaves training and validation."""


def pattern(roll: Roll) -> str:
    """What copies of a piece share: a hash of its notes relative to the lowest, without loudness.

    Silence before and after the notes does not count. Where nobody knows which keys are pressed, the
    sounding keys stand in.
    """
    keys = roll.sounding if roll.onset is None else roll.onset
    frames, pitches = np.nonzero(keys)
    notes = np.stack([frames, pitches]).astype("<i4")
    if notes.size:
        notes -= notes.min(axis=1, keepdims=True)
    return hashlib.sha256(notes.tobytes()).hexdigest()


def split_of(patterns: Sequence[str], families: Sequence[int] | None = None) -> list[Split]:
    """The split of each piece by its note pattern; a family goes where one of its patterns goes.

    In a corpus so small that a split would stay empty, the largest one gives a family to it; a single
    family trains.

    Args:
        patterns: of all pieces, see `pattern`.
        families: of all pieces; pieces of one number stay together, as do those of one pattern.
    """
    leaders = _leaders(patterns, families or range(len(patterns)))
    place = {leader: int(leader[:16], 16) / 2**64 for leader in leaders}
    order = sorted(place, key=lambda leader: place[leader])
    split: dict[str, Split] = {leader: _by_place(place[leader]) for leader in order}
    for empty in [name for name in SPLITS if name not in split.values()]:
        taken = list(split.values())
        largest = max(SPLITS, key=taken.count)
        members = [leader for leader in order if split[leader] == largest]
        if len(members) > 1 or (members and empty == "train"):
            split[members[0 if empty == "train" else -1]] = empty
    return [split[leader] for leader in leaders]


def _leaders(patterns: Sequence[str], families: Sequence[int]) -> list[str]:
    """For each piece the pattern that decides, among those of all pieces that stay with it.

    It is drawn by a hash of the patterns. The smallest pattern itself, which is also the smallest number,
    would send nearly every large family to training.
    """
    groups = connected(len(patterns), [*alike(patterns), *alike(families)])
    leader: dict[int, str] = {}
    for group, own in zip(groups, patterns, strict=True):
        leader[group] = min(leader.get(group, own), own, key=_lot)
    return [leader[group] for group in groups]


def _lot(pattern: str) -> str:
    return hashlib.sha256(pattern.encode()).hexdigest()


def alike(labels: Iterable[Hashable | None]) -> Iterator[tuple[int, int]]:
    """Links between pieces of one label; a piece without a label has none."""
    first: dict[Hashable, int] = {}
    for piece, label in enumerate(labels):
        if label is not None:
            yield first.setdefault(label, piece), piece


def connected(count: int, links: Iterable[tuple[int, int]]) -> list[int]:
    """The groups that links make of `count` pieces: for each piece the first of its group."""
    parent = list(range(count))

    def root(piece: int) -> int:
        while parent[piece] != piece:
            parent[piece] = parent[parent[piece]]
            piece = parent[piece]
        return piece

    for link in links:
        one, two = sorted(map(root, link))
        parent[two] = one
    return [root(piece) for piece in range(count)]


def _by_place(place: float) -> Split:
    if place < TRAIN:
        return "train"
    return "valid" if place < VALID else "test"
